// Dialogs, the drawer, live pages and small conveniences. Every link and form works without it.
"use strict";

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

// ---- Light or dark: the visitor's choice stands over the system's.

const root = document.documentElement;
const chosen = localStorage.getItem("theme");
if (chosen) root.dataset.theme = chosen;
for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

// ---- A link that opens over the page. Its own page is what is shown, so it also works in a new tab.

// What the page below calls by the same name stays the only one of that name; live regions keep theirs, to be found again.
function setApart(content) {
  const renamed = new Map();
  for (const part of content.querySelectorAll("[id]:not([data-live], [data-live] *)")) {
    renamed.set(part.id, "over-" + part.id);
    part.id = "over-" + part.id;
  }
  for (const name of ["for", "aria-labelledby", "aria-describedby", "aria-controls", "list", "form", "data-copy"]) {
    for (const part of content.querySelectorAll(`[${name}]`)) {
      const ids = part.getAttribute(name).split(" ").map((id) => renamed.get(id) ?? id);
      part.setAttribute(name, ids.join(" "));
    }
  }
  return content;
}

async function openOver(link, isDrawer) {
  let page;
  try {
    const answer = await fetch(link.href, { headers: { accept: "text/html" } });
    page = parse(await answer.text());
  } catch {
    location.assign(link.href);
    return;
  }
  const content = page.querySelector("[data-fragment]");
  if (!content) {
    location.assign(link.href);
    return;
  }
  const dialog = document.createElement("dialog");
  const heading = content.querySelector("h1");
  if (heading) dialog.setAttribute("aria-label", heading.textContent.trim());
  const close = document.createElement("button");
  close.className = "close";
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  close.textContent = "×";
  close.addEventListener("click", () => dialog.close());
  dialog.append(close, setApart(document.adoptNode(content)));
  if (isDrawer) {
    dialog.className = "drawer";
    dialog.dataset.href = link.href;
    follow(page.body.dataset.follow);
  }
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (isDrawer) follow(document.body.dataset.follow);
    link.focus();
  });
  document.body.append(dialog);
  remember(dialog);
  dress(dialog);
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog], a[data-drawer]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  openOver(link, "drawer" in link.dataset);
});

// Whoever leaves what was opened over a page is where they came from.
document.addEventListener("click", (event) => {
  const dialog = event.target.closest("a[data-leave]")?.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  dialog.close();
});

// A link inside the drawer that leads to another of its tabs stays in the drawer.
document.addEventListener("click", async (event) => {
  const tab = event.target.closest("dialog.drawer .tabs a");
  if (!tab || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const answer = await fetch(tab.href);
  const page = parse(await answer.text());
  const content = page.querySelector("[data-fragment]");
  const old = tab.closest("dialog").querySelector("[data-fragment]");
  if (!content || !old) return location.assign(tab.href);
  old.replaceWith(setApart(document.adoptNode(content)));
  follow(page.body.dataset.follow);
  remember(document.querySelector("dialog.drawer"));
  dress(document);
  document.querySelector("dialog.drawer .tabs a[aria-current]")?.focus();
});

// ---- Live pages: the server sends the page whenever it differs; the regions that say so are exchanged.

let source = null;
let isPressed = false;
let waiting = null;
// What the server sent of each region; what is dressed here differs from it.
const asSent = new WeakMap();
const remember = (part) => part.querySelectorAll("[data-live][id]").forEach((region) => asSent.set(region, region.innerHTML));

// Between pressing and letting go nothing is exchanged: the click would be lost.
document.addEventListener("pointerdown", () => { isPressed = true; });
for (const type of ["pointerup", "pointercancel"]) {
  document.addEventListener(type, () => {
    isPressed = false;
    setTimeout(() => waiting && exchange(waiting));
  });
}

let followed = null;

function follow(page) {
  followed = page || null;
  source?.close();
  source = null;
  if (!followed || document.hidden) return;
  source = new EventSource("/live?page=" + encodeURIComponent(followed));
  source.addEventListener("page", (event) => exchange(parse(JSON.parse(event.data))));
  source.addEventListener("gone", () => {
    source.close();
    if (followed === document.body.dataset.follow) location.reload();
  });
}

function exchange(page) {
  waiting = isPressed ? page : null;
  if (waiting) return;
  const drawer = document.querySelector("dialog.drawer");
  for (const fresh of page.querySelectorAll("[data-live][id]")) {
    const shown = drawer?.querySelector("#" + CSS.escape(fresh.id)) ?? document.getElementById(fresh.id);
    if (!shown || asSent.get(shown) === fresh.innerHTML) continue;
    // Whoever types or has a choice in hand is not disturbed.
    const active = document.activeElement;
    if (shown.contains(active) && active.matches("input, select, textarea")) continue;
    const opened = [...shown.querySelectorAll("details[id]")].map((it) => [it.id, it.open]);
    const ticked = [...shown.querySelectorAll("input:checked[value]")].map((it) => it.name + "\n" + it.value);
    const place = shown.contains(active) && active.getAttribute("href");
    const was = fresh.innerHTML;
    shown.replaceChildren(...document.adoptNode(fresh).childNodes);
    asSent.set(shown, was);
    for (const [id, open] of opened) {
      const again = document.getElementById(id);
      if (again) again.open = open;
    }
    for (const box of shown.querySelectorAll("input[type=checkbox][value]")) box.checked = ticked.includes(box.name + "\n" + box.value) || box.checked;
    if (place) [...shown.querySelectorAll("a[href]")].find((it) => it.getAttribute("href") === place)?.focus();
    dress(shown);
  }
}

document.addEventListener("visibilitychange", () => follow(followed));
// Who leaves by a form is led by its answer, not by what happens here meanwhile.
document.addEventListener("submit", () => source?.close());

// ---- Conveniences.

function dress(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    if (time.dataset.dressed) continue;
    time.dataset.dressed = "yes";
    const local = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    time.title = time.title + " · here: " + local;
  }
  for (const button of part.querySelectorAll("button[data-copy]")) button.hidden = false;
  for (const box of part.querySelectorAll("input[data-check-all]")) box.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-submit]")) field.form.requestSubmit();
  if (field.matches("[data-check-all]")) {
    for (const box of field.closest("form, table").querySelectorAll("tbody input[type=checkbox]")) box.checked = field.checked;
  }
});

for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    const zone = event.target.closest?.("[data-drop]");
    if (!zone) return;
    event.preventDefault();
    zone.classList.toggle("over-it", type === "dragenter" || type === "dragover");
    if (type !== "drop") return;
    for (const file of event.dataTransfer.files) {
      const isSignature = file.name.endsWith(".minisig");
      const field = zone.querySelector(isSignature ? "[data-signature]" : "[data-artifact]");
      const files = new DataTransfer();
      files.items.add(file);
      field.files = files.files;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
}

remember(document);
dress(document);
follow(document.body.dataset.follow);
