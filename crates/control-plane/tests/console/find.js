// What a person finds on a page: something visible, by what it is and what it is called, perhaps in the row or the group
// that says something. The topmost dialog, where one is open, is all there is. Called with [what, name, within]; returns the
// element or null.
const [what, name, within] = arguments;
const said = (text) => text.replace(/\s+/g, " ").trim();
const visible = (it) => it.checkVisibility({ visibilityProperty: true }) && it.getClientRects().length > 0
  && getComputedStyle(it).clipPath === "none";
const called = (it) => {
  const by = (it.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
  const labels = by.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  return said(it.getAttribute("aria-label") || labels || it.innerText || it.value || "");
};
const kinds = {
  link: ["a[href], summary", (it) => [called(it)]],
  button: ["button, input[type=submit], a.button, [role=button], summary", (it) => [called(it)]],
  field: ["input:not([type=hidden]), select, textarea", (it) => [...(it.labels ?? []), it].map(called)],
  heading: ["h1, h2, h3, legend", (it) => [called(it)]],
  alert: ["[role=alert]", (it) => [called(it)]],
  row: ["tr, li, dl > *, fieldset", (it) => [called(it)]],
};
const find = (root, what, wanted, fits) => {
  const [selector, names] = kinds[what];
  const all = [...root.querySelectorAll(selector)].filter((it) => visible(it) || it.type === "file");
  return all.find((it) => names(it).some((name) => fits(name, wanted)));
};
const dialog = [...document.querySelectorAll("dialog[open]")].pop();
const has = (name, wanted) => name.includes(wanted);
const root = within ? find(dialog ?? document, "row", said(within), has) : dialog ?? document;
const is = (name, wanted) => name === wanted;
const begins = (name, wanted) => name.startsWith(wanted);
const found = root && (find(root, what, said(name), is) ?? find(root, what, said(name), what === "row" ? has : begins));
return found ?? null;
