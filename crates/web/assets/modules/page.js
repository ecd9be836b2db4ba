// On every page of whoever is signed in: keys, and a word when something new came. The page works without it.

// Keys (WCAG 2.1.4): off while something is typed, and for whoever switched them off at /keys.
const typing = (at) => at.closest("input, select, textarea, [contenteditable]") !== null;
const follow = (selector) => {
  const link = document.querySelector(selector);
  if (link) link.click();
  return link !== null;
};
const search = () => {
  const field = document.querySelector('form[action="/people/search"] input:not([type=hidden])');
  if (field) field.focus();
  return field !== null || follow('nav.main a[href="/people/search"]');
};
const KEYS = {
  "/": search,
  n: () => follow("a[data-key=n]"),
  "?": () => follow('a[href="/keys"]'),
  "g h": () => follow('nav.main a[href="/"]'),
};
let before = "";
const pressed = (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing(event.target)) return;
  const act = KEYS[`${before} ${event.key}`] ?? KEYS[event.key];
  before = event.key === "g" ? "g" : "";
  if (act?.()) event.preventDefault();
};
if ("keys" in document.body.dataset) addEventListener("keydown", pressed);

// Only the page that is looked at listens. What it hears is "changed" or "over", nothing else.
const LATER = 60_000;
const listen = (place) => {
  let source = null;
  let done = false;
  const close = () => {
    source?.close();
    source = null;
  };
  const tell = (which) => {
    done = true;
    close();
    place.append(place.querySelector(`template[data-when=${which}]`).content.cloneNode(true));
  };
  const open = () => {
    if (done || source || document.hidden) return;
    source = new EventSource(place.dataset.changes);
    source.addEventListener("changed", () => tell("changed"));
    source.addEventListener("over", () => tell("over"));
    source.addEventListener("error", () => {
      // Asked to wait: the browser does not try again by itself.
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      setTimeout(open, LATER);
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
};
const place = document.getElementById("news");
if (place) listen(place);

// What was kept for one session goes with it, and what is a day old at once.
const COPIES = "copy-";
const forget = (old) => {
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith(COPIES)) continue;
    const until = Number(localStorage.getItem(name).split(" ", 1)[0]);
    if (old(until)) localStorage.removeItem(name);
  }
};
try {
  forget((until) => !(until > Date.now()));
  document.querySelector('form[action="/sign-out"]')?.addEventListener("submit", () => forget(() => true));
} catch {
  // No storage here: nothing is kept.
}
