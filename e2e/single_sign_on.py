"""Single sign-on against a real provider (oidc-provider) in a real browser: sites that are strangers to each
other, so cookies are sent or kept back as they are in the world. Linked and unlinked people, groups, the
provider's word about second factors, its keys and its absence, and answers that are used twice or elsewhere."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from lib.checks import Checks
from lib.devtools import Browser
from lib.program import PASSWORD, ROOT, Installation, Scratch, clean_environment

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SECRET = "Asagao-no-hana-1999-made-up"
ENTER = "a[href^='/sign-in/provider']"
PACK = """id: hospital
extends: base
ja: "病院の規程"
en: "Rules of a hospital"
languages: [ja, en]
parameters:
  - {key: second-factor.required-of, value: nobody}
  - {key: single-sign-on.second-factor-methods, value: mfa}
"""
SITE = """sign-in-groups:
  - {code: users, group: mimamori-users, required: true, ja: "利用者", en: "users"}
  - {code: heads, group: ward-heads, role: facility-manager, ja: "病棟の長", en: "heads of wards"}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Provider:
    """The identity provider as a process of its own."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = folder, port, None
        self.people, self.log = folder / "people.json", folder / "provider.log"
        self.issuer = f"http://127.0.0.1:{port}"

    def says(self, **people):
        self.people.write_text(json.dumps({name.replace("_", "-"): said for name, said in people.items()}))

    def start(self, site):
        more = {
            "PORT": str(self.port),
            "PEOPLE": str(self.people),
            "REDIRECT": f"{site}/sign-in/provider/return",
            "AFTER": f"{site}/sign-in",
            "SECRET": SECRET,
        }
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["node", str(ROOT / "e2e/provider/provider.mjs")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(**more),
            )
        begun = time.monotonic()
        while time.monotonic() - begun < 60:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5):
                    return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the provider did not start: {self.log.read_text()[-800:]}")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


class Person:
    """Somebody at the browser."""

    def __init__(self, checks, browser, site, provider):
        self.checks, self.browser, self.site, self.provider = checks, browser, site, provider

    def at(self, path):
        self.browser.until(f"location.pathname === {json.dumps(path)}", path)
        self.checks.that(True, f"{path} is reached")

    def reads(self, text, what):
        said = self.browser.ask("document.body.innerText")
        return self.checks.that(text in said, what, said[:400])

    def signed_in(self, what):
        self.browser.until("document.querySelector(\"form[action='/sign-out']\")", what)
        self.checks.that(True, what)

    def fresh(self):
        """Nothing of anybody is left in the browser."""
        self.browser.call("Network.clearBrowserCookies")
        self.browser.call("Network.setCookie", name="lang", value="ja", url=self.site)
        self.browser.open(f"{self.site}/sign-in")
        self.browser.until("document.querySelector('form[action=\"/sign-in\"]')", "the form")

    def password(self, login):
        self.browser.fill(login=login, password=PASSWORD)
        self.browser.press("form[action='/sign-in'] button")

    def at_provider(self, who):
        self.browser.until(f"location.href.startsWith({json.dumps(self.provider.issuer)}) && document.querySelector('#enter')", "the provider")
        self.browser.fill(who=who)
        self.browser.press("#enter")

    def by_provider(self, who):
        self.fresh()
        self.browser.press(ENTER)
        self.at_provider(who)

    def away(self):
        """While the provider is down its button says so, and the password opens."""
        self.fresh()
        self.browser.press(ENTER)
        self.browser.until("document.querySelector('.notice.wrong')", "what to do")
        self.reads("つながらない", "the page tells that the provider does not answer")
        self.password("hana")
        self.signed_in("signed in with the password while the provider is down")

    def back(self):
        """The provider is asked again a moment after it came back."""
        begun = time.monotonic()
        while time.monotonic() - begun < 30:
            self.fresh()
            self.browser.press(ENTER)
            self.browser.until("document.querySelector('#enter') || document.querySelector('.notice.wrong')", "an answer")
            if self.browser.ask("document.querySelector('#enter') !== null"):
                return
            time.sleep(0.5)
        raise RuntimeError("the provider was not asked again")

    def unlinked(self):
        self.by_provider("s-hana")
        self.browser.until("document.querySelector('.notice.wrong')", "what to do")
        self.reads("s-hana", "an unlinked person is told as whom they are known")

    def links(self):
        """The owner links their account: password first, then the provider, then their word."""
        self.fresh()
        self.password("hana")
        self.signed_in("signed in with the password")
        self.browser.open(f"{self.site}/account")
        self.browser.until("document.querySelector(\"a[href='/account/provider/link']\")", "the link's button")
        self.browser.press("a[href='/account/provider/link']")
        self.at_provider("s-hana")
        self.browser.until("document.querySelector(\"form[action='/account/provider/link'] button\")", "the question")
        self.browser.press("form[action='/account/provider/link'] button")
        self.at("/account")
        self.reads("結び付いています", "the account is linked")

    def comes(self):
        """All the way round: another site leads back, and the session's strict cookie is there."""
        self.by_provider("s-hana")
        self.at("/")
        self.signed_in("signed in by the provider")
        # Where somebody was going.
        self.fresh()
        self.browser.open(f"{self.site}/people/search")
        self.at("/sign-in")
        self.browser.press(ENTER)
        self.at_provider("s-hana")
        self.at("/people/search")

    def again(self):
        """Locked, and back by the provider, which asks anew."""
        self.browser.press("form[action='/lock'] button")
        self.at("/unlock")
        self.browser.press("a[href^='/step-up/provider']")
        self.at_provider("s-hana")
        self.browser.until("document.querySelector(\"form[action='/step-up/provider'] button\")", "the answer")
        self.browser.press("form[action='/step-up/provider'] button")
        self.browser.until("document.querySelector(\"form[action='/lock']\")", "the session")
        self.checks.that(True, "back at the locked session by the provider")

    def leaves(self):
        self.browser.press("form[action='/sign-out'] button")
        self.at("/sign-in")
        self.reads("サインインしたまま", "signing out tells that the provider's session goes on")
        out = self.browser.ask(f"document.querySelector(\"a[href^='{self.provider.issuer}']\")?.href")
        self.checks.that(out and "/session/end" in out, "and leads to the provider's own page", out)
        # Without signing out there, the next one is signed in without a word.
        self.browser.press(ENTER)
        self.signed_in("the provider's session goes on")

    def declines(self):
        self.fresh()
        self.browser.press(ENTER)
        self.browser.until("document.querySelector('#leave')", "the provider")
        self.browser.press("#leave")
        self.browser.until("document.querySelector('.notice.wrong')", "what to do")
        self.reads("途中で終わりました", "breaking off is told")

    def groups(self):
        self.provider.says(s_hana={"groups": ["mimamori-users", "ward-heads"]})
        self.by_provider("s-hana")
        self.signed_in("signed in with the group")
        self.browser.open(f"{self.site}/admin/accounts")
        self.browser.until("document.querySelector('h1')", "a page")
        opened = self.browser.ask("document.querySelector(\"nav a[href='/admin/accounts']\") !== null")
        self.checks.that(opened, "the group's role is held")
        self.provider.says(s_hana={"groups": ["mimamori-users"]})
        self.by_provider("s-hana")
        self.signed_in("signed in without it")
        opened = self.browser.ask("document.querySelector(\"nav a[href='/admin/accounts']\") !== null")
        self.checks.that(not opened, "the role is lost with the group")
        self.provider.says(s_hana={"groups": ["others"]})
        self.by_provider("s-hana")
        self.browser.until("document.querySelector('.notice.wrong')", "what to do")
        self.reads("グループに入っていません", "who is in no group of this system is told so")
        self.provider.says(s_hana={"groups": ["mimamori-users"]})

    def twice(self):
        """An answer that somebody else uses, or that is used again."""
        stolen = []
        self.fresh()
        self.browser.call("Network.enable")
        self.browser.press(ENTER)
        self.browser.until("document.querySelector('#enter')", "the provider")
        cookies = {one["name"]: one["value"] for one in self.browser.call("Network.getAllCookies")["cookies"]}
        self.checks.that("provider" in cookies, "the browser keeps what was begun", list(cookies))
        self.at_provider("s-hana")
        self.signed_in("signed in")
        entries = self.browser.call("Page.getNavigationHistory")["entries"]
        stolen = [one["url"] for one in entries if "/sign-in/provider/return?" in one["url"]]
        if not stolen:
            return self.checks.skip("the used answer", "the browser's history does not keep it")
        for cookie, what in ((None, "in another browser"), (f"provider={cookies['provider']}", "once more")):
            request = urllib.request.Request(stolen[-1].replace("localhost", "127.0.0.1"))
            if cookie:
                request.add_header("Cookie", cookie)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    status, given = answer.status, answer.headers.get_all("Set-Cookie") or []
            except urllib.error.HTTPError as answer:
                status, given = answer.code, answer.headers.get_all("Set-Cookie") or []
            opened = [one for one in given if one.startswith("session=") and "Max-Age=0" not in one]
            self.checks.equal((status, opened), (410, []), f"an answer is worth nothing {what}")
        return None

    def factor(self, installation):
        """Their own second factor is asked for unless the provider vouches for one."""
        self.provider.says(s_hana={"groups": ["mimamori-users"], "amr": ["pwd"]})
        self.by_provider("s-hana")
        self.signed_in("signed in")
        self.browser.open(f"{self.site}/account/factors")
        self.browser.until("document.querySelector('#passkey-name')", "the form")
        self.browser.ask("document.querySelector('#passkey-name').value = '机の鍵'")
        self.browser.until("document.querySelector('button[data-passkey]')?.offsetParent", "the passkey's button")
        self.browser.press("button[data-passkey]")
        self.browser.until("document.querySelectorAll('li.secret').length === 10", "recovery codes")
        self.by_provider("s-hana")
        self.at("/sign-in/code")
        self.browser.until("document.querySelector('button[data-passkey]')?.offsetParent", "the passkey's button")
        self.browser.press("button[data-passkey]")
        self.signed_in("signed in by the provider and a passkey of one's own")
        self.provider.says(s_hana={"groups": ["mimamori-users"], "amr": ["pwd", "mfa"]})
        self.by_provider("s-hana")
        self.at("/")
        self.signed_in("signed in by a provider that vouches for two factors")


def doctor(checks, installation, provider, healthy):
    findings = json.loads(installation.run("doctor", "--json").out)
    found = next(one for one in findings if one["check"] == "sign-in")
    state = "ok" if healthy else "problem"
    checks.equal(found["state"], state, f"doctor looks at the provider: {found['detail']}")
    checks.that(healthy or found["next"], "and says what to do")
    checks.that(provider.issuer in found["detail"], "and which it is")


def main():
    checks = Checks("single sign-on")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None or shutil.which("node") is None:
        raise SystemExit("a Chromium and Node.js are needed: apt-get install chromium nodejs npm")
    with Scratch() as folder:
        pack = folder / "hospital"
        pack.mkdir()
        (pack / "pack.yaml").write_text(PACK, encoding="utf-8")
        (pack / "site.yaml").write_text(SITE, encoding="utf-8")
        provider = Provider(folder, free_port())
        provider.says(s_hana={"groups": ["mimamori-users"]}, s_jiro={"groups": ["mimamori-users"]})
        installation = Installation(folder / "home")
        installation.must("init", "--name", "試験の病院", "--ledger", "test.example", "--pack", str(pack))
        institution = installation.institution()
        for login, name in (("hana", "試験 看護子"), ("jiro", "試験 医師男")):
            installation.staff(login, name, "--institution", institution)
        secret = folder / "home/keys/sign-in-secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        settings = folder / "home/mimamori.toml"
        section = (
            f"[sign-in]\nissuer = \"{provider.issuer}\"\nclient-id = \"mimamori\"\n"
            'client-secret-file = "keys/sign-in-secret"\nscopes = "groups"\nname-ja = "病院の認証"\n'
        )
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("[sign-in]\n", section, 1), encoding="utf-8")
        linked = installation.run("user", "link", "jiro", "--subject", "s-jiro", "--reason", "試験")
        checks.equal(linked.code, 0, f"an account is linked at the command line: {linked!r}")
        taken = installation.run("user", "link", "hana", "--subject", "s-jiro", "--reason", "試験")
        checks.that(taken.code != 0 and "another account" in taken.err, "one person is one account", repr(taken))
        doctor(checks, installation, provider, healthy=False)
        server = installation.server().start()
        site = f"http://localhost:{server.staff[1]}"
        browser = None
        try:
            browser = Browser(program, folder)
            browser.call("Network.enable")
            browser.authenticator()
            person = Person(checks, browser, site, provider)
            checks.section("the provider is down", person.away)
            provider.start(site)
            checks.section("it is there again", person.back)
            checks.section("an unlinked person", person.unlinked)
            checks.section("the owner links", person.links)
            checks.section("signing in", person.comes)
            checks.section("locked, and back", person.again)
            checks.section("signing out", person.leaves)
            checks.section("breaking off", person.declines)
            checks.section("groups", person.groups)
            checks.section("used twice", person.twice)
            provider.stop()
            provider.start(site)
            checks.section("another key of the provider", person.comes)
            checks.section("second factors", person.factor, installation)
        finally:
            if browser is not None:
                browser.close()
            server.stop()
        doctor(checks, installation, provider, healthy=True)
        provider.stop()
        stopped = installation.run("user", "unlink", "jiro", "--reason", "試験")
        checks.equal(stopped.code, 0, f"and unlinked: {stopped!r}")
        verified = installation.run("ledger", "verify")
        checks.equal(verified.code, 0, f"the ledger holds: {verified!r}")
        kept = b"".join(one.read_bytes() for one in (folder / "home").rglob("*") if one.is_file() and one != secret)
        checks.that(SECRET.encode() not in kept, "the client's secret stands nowhere else")
        log = installation.log.read_text(encoding="utf-8", errors="replace")
        checks.that("s-hana" not in log and "code=" not in log, "nothing of people or codes is logged")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
