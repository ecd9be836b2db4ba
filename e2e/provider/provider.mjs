// An OpenID Connect provider for the tests: the certified library oidc-provider, with people who need no
// password. Who they are, and what the provider says of them, comes from the file named in PEOPLE and is
// read anew at each sign-in:
//   {"s-hana": {"groups": ["mimamori-users"], "amr": ["pwd"]}}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import Provider from "oidc-provider";

const { PORT, PEOPLE, REDIRECT, AFTER, SECRET } = process.env;
const issuer = `http://127.0.0.1:${PORT}`;
const people = () => JSON.parse(readFileSync(PEOPLE, "utf8"));

// Another key at each start: a restart is a rotation.
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomUUID() };

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [
    {
      client_id: "mimamori",
      client_secret: SECRET,
      redirect_uris: [REDIRECT],
      post_logout_redirect_uris: [AFTER],
    },
  ],
  cookies: { keys: [randomUUID()] },
  claims: { openid: ["sub"], groups: ["groups", "amr"] },
  scopes: ["openid", "groups"],
  // What belongs to a scope stands in the ID token.
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true, methods: ["S256"] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(_, id) {
    const known = people()[id];
    return known && { accountId: id, claims: () => ({ sub: id, groups: known.groups }) };
  },
  // Nobody is asked for consent: it is the organisation's own program.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({
      clientId: oidc.client.clientId,
      accountId: oidc.session.accountId,
    });
    grant.addOIDCScope("openid groups");
    await grant.save();
    return grant;
  },
});

const asOidc = provider.callback();

async function interact(request, response) {
  const { prompt } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(
      `<!DOCTYPE html><title>${prompt.name}</title><form method="post">` +
        `<input name="who" required><button id="enter">enter</button><button id="leave" name="leave" value="yes" formnovalidate>leave</button></form>`,
    );
    return;
  }
  let body = "";
  for await (const piece of request) body += piece;
  const sent = new URLSearchParams(body);
  const result = sent.get("leave")
    ? { error: "access_denied", error_description: "the person left" }
    : { login: { accountId: sent.get("who"), amr: people()[sent.get("who")]?.amr } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

createServer((request, response) => {
  if (request.url.startsWith("/interaction/")) {
    interact(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  } else {
    asOidc(request, response);
  }
}).listen(Number(PORT), "127.0.0.1", () => console.log("serving"));
