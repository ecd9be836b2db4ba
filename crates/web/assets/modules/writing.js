// While a note is written: it is kept as a draft after every pause, a copy stays here while the connection is
// away, and nobody leaves by mistake. Without this the form is sent as a whole, as ever.

const PAUSE = 3_000;
const AGAIN = 15_000;
const DAY = 86_400_000;

const form = document.querySelector("form[data-writing]");
const text = form.elements.namedItem("text");
const status = form.querySelector("[data-status]");
const said = (which, time = "") => {
  const words = form.querySelector(`template[data-say=${which}]`).content.textContent;
  status.textContent = words.replace("{time}", time);
};

// What is typed, but for files: those go with the form.
const fields = () => {
  const sent = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") sent.append(name, value);
  return sent;
};
const typed = () => {
  const all = fields();
  for (const name of ["version", "reply", "template"]) all.delete(name);
  return all.toString();
};
let kept = typed();
const changed = () => typed() !== kept;

// A copy in this browser: encrypted under a key of this session, which the browser does not give out again.
const bytes = (from) => Uint8Array.from(atob(from), (c) => c.charCodeAt(0));
const base64 = (from) => btoa(String.fromCharCode(...new Uint8Array(from)));
const copies = async () => {
  const secret = form.dataset.copyKey;
  delete form.dataset.copyKey;
  if (!secret || !globalThis.crypto?.subtle || !globalThis.localStorage) return null;
  const key = await crypto.subtle.importKey("raw", bytes(secret), "AES-GCM", false, ["encrypt", "decrypt"]);
  const name = async () => {
    // The name says nothing of whose note it is.
    const of = new TextEncoder().encode(secret + new URL(form.action).pathname);
    return `copy-${base64(await crypto.subtle.digest("SHA-256", of)).slice(0, 22)}`;
  };
  return {
    async keep(plain) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(plain));
      localStorage.setItem(await name(), `${Date.now() + DAY} ${base64(iv)} ${base64(sealed)}`);
    },
    async find() {
      const found = localStorage.getItem(await name());
      if (!found) return null;
      const [until, iv, sealed] = found.split(" ");
      if (!(Number(until) > Date.now())) return null;
      try {
        const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes(iv) }, key, bytes(sealed));
        return new TextDecoder().decode(plain);
      } catch {
        return null;
      }
    },
    async drop() {
      localStorage.removeItem(await name());
    },
  };
};
const copy = await copies().catch(() => null);

let saving = null;
let timer = null;
let sending = false;

const hidden = (name, value) => {
  let field = form.elements.namedItem(name);
  if (!field) {
    field = Object.assign(document.createElement("input"), { type: "hidden", name });
    form.append(field);
  }
  field.value = value;
};

const away = async () => {
  if (copy) await copy.keep(text.value).catch(() => null);
  said(copy ? "copied" : "away");
};

// The ordinary address of the form, asked for a small answer.
const save = async () => {
  const now = typed();
  if (!text.value.trim() || now === kept) return;
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body: fields(), headers: { accept: "application/json" } });
  } catch {
    await away();
    return;
  }
  if (answer.status === 401) said("over");
  else if (answer.status === 409) said("conflict");
  else if (answer.status >= 500 || answer.status === 429) await away();
  else if (!answer.ok) said("wrong");
  if (!answer.ok) return;
  const { edit, version, time } = await answer.json();
  await copy?.drop();
  if (form.getAttribute("action") !== edit) {
    form.action = edit;
    for (const name of ["reply", "template"]) form.querySelector(`input[type=hidden][name=${name}]`)?.remove();
    document.querySelector("[data-templates]")?.remove();
    history.replaceState(null, "", edit);
  }
  hidden("version", version);
  kept = now;
  said("saved", time);
};
const saves = () => (saving ??= save().finally(() => (saving = null)));
const soon = (wait) => {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (sending || !("draft" in form.dataset)) {
      if (!sending && copy && changed()) await copy.keep(text.value).catch(() => null);
      return;
    }
    await saves();
    if (changed()) soon(AGAIN);
  }, wait);
};

form.addEventListener("input", (event) => {
  if (event.target.type !== "file") soon(PAUSE);
});
addEventListener("online", () => changed() && soon(0));
addEventListener("beforeunload", (event) => {
  if (!sending && changed()) event.preventDefault();
});
form.addEventListener("submit", async (event) => {
  if (sending) return;
  event.preventDefault();
  clearTimeout(timer);
  await saving;
  if (!navigator.onLine) {
    await away();
    return;
  }
  await copy?.drop();
  sending = true;
  form.submit();
});
// Back from a page that could not be reached: what was typed is in the fields still.
addEventListener("pageshow", () => (sending = false));

const left = await copy?.find();
if (left && left !== text.value) {
  const offer = form.querySelector("template[data-say=found]").content.cloneNode(true);
  const box = offer.firstElementChild;
  box.querySelector("[data-take]").addEventListener("click", () => {
    text.value = left;
    box.remove();
    text.focus();
    soon(PAUSE);
  });
  box.querySelector("[data-drop]").addEventListener("click", async () => {
    box.remove();
    await copy.drop();
  });
  form.prepend(offer);
}
