// While people are searched for: who is found so far is shown after every pause. The button works without it.

const PAUSE = 200;
const form = document.querySelector("form[data-search]");
const results = document.querySelector("[data-results]");
const status = document.querySelector("[data-told]");

const typed = () => new URLSearchParams(new FormData(form));
// A sign of Chinese writing says as much as two letters.
const enough = (all) => [...all.values()].some((text) => text.trim().length > 1 || /\p{Script=Han}/u.test(text));
let last = typed().toString();
let timer = null;
let going = null;

const show = (found) => {
  results.replaceChildren(...found);
  status.textContent = results.querySelector(".count, .box p")?.textContent ?? results.querySelector("h2")?.textContent ?? "";
};

const ask = async () => {
  const all = typed();
  if (all.toString() === last) return;
  last = all.toString();
  going?.abort();
  going = null;
  if (!enough(all)) return show([]);
  const mine = (going = new AbortController());
  // Fewer are looked at before the button is pressed.
  all.set("typing", "1");
  try {
    const answer = await fetch(form.action, { method: "POST", body: all, signal: mine.signal, redirect: "error" });
    // What is half typed, a session that is over: the button tells.
    if (!answer.ok) return show([]);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // What is only for whoever pressed the button: half a name is no reason to break the glass.
    for (const one of page.querySelectorAll("[data-pressed]")) one.remove();
    if (going === mine) show(page.querySelector("[data-results]")?.childNodes ?? []);
  } catch {
    if (going === mine) last = "";
  }
};

const later = (event) => {
  clearTimeout(timer);
  // A word that is still being composed from kana is none yet.
  if (!event.isComposing) timer = setTimeout(ask, PAUSE);
};
form.addEventListener("input", later);
form.addEventListener("compositionend", later);
// Whoever presses the button needs no answer from before.
form.addEventListener("submit", () => {
  clearTimeout(timer);
  going?.abort();
});
