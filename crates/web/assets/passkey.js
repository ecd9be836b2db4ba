// Passkeys (W3C Web Authentication). A button with data-passkey="ADDRESS" asks that address for a
// challenge, lets the browser answer it, and sends the form it stands in with the answer. Without this
// script the buttons stay hidden and the other ways remain.

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// Members that JSON carries as base64url (level 3, section 5.1.9, says which).
const opened = (options) => {
  const key = options.publicKey;
  key.challenge = bytes(key.challenge);
  if (key.user) key.user.id = bytes(key.user.id);
  for (const list of [key.excludeCredentials, key.allowCredentials]) {
    for (const known of list ?? []) known.id = bytes(known.id);
  }
  return { publicKey: key };
};

const answered = (made) => {
  const response = { clientDataJSON: text(made.response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[part]) response[part] = text(made.response[part]);
  }
  return JSON.stringify({
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response,
    extensions: {},
  });
};

const ask = async (button) => {
  const form = button.form;
  const told = document.getElementById(button.getAttribute("aria-describedby"));
  if (told) told.hidden = true;
  button.disabled = true;
  try {
    const sent = await fetch(button.dataset.passkey, { method: "POST", body: new URLSearchParams() });
    if (!sent.ok) throw new Error(String(sent.status));
    const { token, options } = await sent.json();
    const credentials = navigator.credentials;
    const made = options.publicKey.user
      ? await credentials.create(opened(options))
      : await credentials.get(opened(options));
    form.elements.namedItem("challenge").value = token;
    form.elements.namedItem("answer").value = answered(made);
    form.submit();
  } catch {
    if (told) told.hidden = false;
    button.disabled = false;
  }
};

if (window.PublicKeyCredential) {
  for (const button of document.querySelectorAll("button[data-passkey]")) {
    button.closest("[hidden]")?.removeAttribute("hidden");
    button.addEventListener("click", () => ask(button));
  }
}
