"""Passkeys in a real browser with a made-up authenticator: enrolling one, signing in with it beside the
password and alone, locking and unlocking, showing again who one is, and a recovery code."""

import json
import shutil
import sys
import time

from lib.checks import Checks
from lib.devtools import Browser
from lib.program import PASSWORD, Installation, Scratch

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PASSKEY = "button[data-passkey]"


class Person:
    """Somebody at the browser."""

    def __init__(self, checks, browser, site):
        self.checks, self.browser, self.site = checks, browser, site
        self.codes = []

    def at(self, path):
        """Waits until the page with this path is there."""
        self.browser.until(f"location.pathname === {json.dumps(path)}", path)
        self.checks.that(True, f"{path} is reached")

    def has(self, selector, what):
        found = self.browser.ask(f"document.querySelector({json.dumps(selector)}) !== null")
        return self.checks.that(found, what)

    def password(self, login="kanri"):
        self.browser.open(f"{self.site}/sign-in")
        self.browser.fill(login=login, password=PASSWORD)
        self.browser.press("form[action='/sign-in'] button")

    def passkey(self):
        shown = f"document.querySelector({json.dumps(PASSKEY)})?.offsetParent"
        self.browser.until(shown, "the passkey's button")
        self.browser.press(PASSKEY)

    def leave(self):
        self.browser.press("form[action='/sign-out'] button")
        self.at("/sign-in")

    def enrol(self):
        self.password()
        self.at("/account/factors")
        self.browser.open(f"{self.site}/people/search")
        self.at("/account/factors")
        self.browser.ask("document.querySelector('#passkey-name').value = '机の鍵'")
        self.passkey()
        self.browser.until("document.querySelectorAll('li.secret').length === 10", "ten recovery codes")
        shown = "[...document.querySelectorAll('li.secret')].map((one) => one.textContent)"
        self.codes = self.browser.ask(shown)
        self.checks.equal(len(self.codes), 10, "recovery codes are shown with the first factor")
        self.browser.press("main a.button")
        self.at("/account/factors")
        named = self.browser.ask("document.querySelector('main').innerText.includes('机の鍵')")
        self.checks.that(named, "the passkey is listed under its name")

    def beside_password(self):
        self.leave()
        self.password()
        self.at("/sign-in/code")
        self.passkey()
        self.at("/")
        self.has("form[action='/sign-out']", "signed in with password and passkey")

    def alone(self):
        self.leave()
        self.passkey()
        self.at("/")
        self.has("form[action='/sign-out']", "signed in with the passkey alone")

    def lock(self):
        self.browser.open(f"{self.site}/account")
        self.browser.press("form[action='/lock'] button")
        self.at("/unlock")
        self.browser.open(f"{self.site}/rules")
        self.at("/unlock")
        self.passkey()
        self.at("/rules")

    def changed(self):
        """On a shared terminal the next person touches a key, and the one before is not left behind."""
        self.browser.press("form[action='/lock'] button")
        self.at("/unlock")
        begun = time.monotonic()
        other = "button[data-passkey='/sign-in/passkey/challenge']"
        self.browser.until(f"document.querySelector({json.dumps(other)})?.offsetParent", "the other's button")
        self.browser.press(other)
        self.at("/")
        took = time.monotonic() - begun
        self.checks.that(took < 5, "the person changes within five seconds", f"{took:.1f} s")

    def again(self):
        self.browser.open(f"{self.site}/step-up?return=/account")
        self.at("/step-up")
        self.passkey()
        self.at("/account")

    def unverified(self, authenticator):
        """A key that did not verify its user is refused, and the page says what to do."""
        self.browser.call("WebAuthn.setUserVerified", authenticatorId=authenticator, isUserVerified=False)
        self.browser.open(f"{self.site}/step-up?return=/account")
        self.at("/step-up")
        self.passkey()
        self.browser.until("!document.querySelector('#passkey-failed').hidden", "what to do next")
        self.checks.equal(self.browser.ask("location.pathname"), "/step-up", "an unverified user is not let on")
        self.browser.call("WebAuthn.setUserVerified", authenticatorId=authenticator, isUserVerified=True)

    def recover(self):
        self.leave()
        self.password()
        self.at("/sign-in/code")
        self.browser.fill(code=self.codes[0])
        self.browser.press("form[action='/sign-in/code'] button:not([data-passkey])")
        self.at("/")
        self.browser.open(f"{self.site}/account/factors")
        told = self.browser.ask("document.querySelector('main').innerText")
        self.checks.that("回復コードが使われました" in told and "残り9個" in told, "the use is told", told)
        self.leave()
        self.password()
        self.at("/sign-in/code")
        self.browser.fill(code=self.codes[0])
        self.browser.press("form[action='/sign-in/code'] button:not([data-passkey])")
        self.browser.until("document.querySelector('.notice.wrong')", "the refusal of a used code")
        self.checks.equal(self.browser.ask("location.pathname"), "/sign-in/code", "a code works once")


def main():
    checks = Checks("browser")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("a Chromium is needed: apt-get install chromium")
    with Scratch() as folder:
        installation = Installation(folder / "home").init()
        institution = installation.institution()
        installation.staff("kanri", "試験 管理子", "--role", "system-manager", "--institution", institution)
        server = installation.server().start()
        port = server.staff[1]
        browser = None
        try:
            browser = Browser(program, folder)
            browser.call("Network.enable")
            browser.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": "ja"})
            authenticator = browser.authenticator()
            person = Person(checks, browser, f"http://localhost:{port}")
            checks.section("a passkey is enrolled", person.enrol)
            checks.section("beside the password", person.beside_password)
            checks.section("alone", person.alone)
            checks.section("locked and unlocked", person.lock)
            checks.section("the person changes", person.changed)
            checks.section("shown again", person.again)
            checks.section("without verifying its user", person.unverified, authenticator)
            checks.section("a recovery code", person.recover)
        finally:
            if browser is not None:
                browser.close()
            server.stop()
        verified = installation.run("ledger", "verify")
        checks.equal(verified.code, 0, f"the ledger holds: {verified!r}")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
