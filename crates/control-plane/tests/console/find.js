// What a person finds on a page: something visible, by what it is and what it is called. The topmost dialog, where one is
// open, is all there is. Called with [what, name]; returns the element or null.
const [what, name] = arguments;
const open = [...document.querySelectorAll("dialog[open]")].pop();
const root = open ?? document;
const said = (text) => text.replace(/\s+/g, " ").trim();
const visible = (it) => it.checkVisibility({ visibilityProperty: true }) && it.getClientRects().length > 0;
const called = (it) => {
  const by = it.getAttribute("aria-labelledby");
  const labels = by ? by.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "") : [];
  const label = it.getAttribute("aria-label") || labels.join(" ") || it.innerText || it.value || "";
  return said(label);
};
const fields = (it) => [...(it.labels ?? [])].map((label) => said(label.innerText)).concat(called(it));
const kinds = {
  link: { of: "a[href], summary", names: (it) => [called(it)] },
  button: { of: "button, input[type=submit], a.button, [role=button], summary", names: (it) => [called(it)] },
  field: { of: "input:not([type=hidden]), select, textarea", names: fields },
  heading: { of: "h1, h2, h3", names: (it) => [called(it)] },
  alert: { of: "[role=alert]", names: (it) => [said(it.innerText)] },
  row: { of: "tbody tr, li", names: (it) => [called(it)] },
};
const kind = kinds[what];
const all = [...root.querySelectorAll(kind.of)].filter((it) => visible(it) || it.matches("input[type=file]"));
const wanted = said(name);
const starts = (its) => its.startsWith(wanted);
const has = (its) => its.includes(wanted);
const exactly = all.find((it) => kind.names(it).includes(wanted));
if (what === "row") return all.find((it) => kind.names(it).some(has)) ?? null;
return exactly ?? all.find((it) => kind.names(it).some(starts)) ?? null;
