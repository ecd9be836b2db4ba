"""A browser without a window, spoken to over the DevTools protocol (WebSocket, RFC 6455)."""

import base64
import json
import os
import socket
import struct
import subprocess
import time
import urllib.request

LONGEST_START = 60
LONGEST_ANSWER = 30
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Socket:
    """The client's end of one WebSocket. Text only, which is all that DevTools speaks."""

    def __init__(self, address):
        host, path = address.removeprefix("ws://").split("/", 1)
        name, port = host.rsplit(":", 1)
        self.socket = socket.create_connection((name, int(port)), timeout=LONGEST_ANSWER)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET /{path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(head.decode())

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise RuntimeError("the browser closed the connection")
        return got

    def take(self, length):
        while len(self.rest) < length:
            self.rest += self.more()
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def send(self, text):
        body, mask = text.encode(), os.urandom(4)
        length = len(body)
        if length < 126:
            head = struct.pack("!BB", 0x81, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x81, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", 0x81, 0x80 | 127, length)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))
        self.socket.sendall(head + mask + masked)

    def receive(self):
        """One message, put together from its frames; control frames are passed over."""
        message = b""
        while True:
            first, second = self.take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self.take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self.take(8))
            body = self.take(length)
            if first & 0x0F in (0, 1):
                message += body
                if first & 0x80:
                    return message.decode()


class Browser:
    """Chromium with one page. Everything it keeps lies in `folder`."""

    def __init__(self, program, folder):
        self.folder, self.last = folder, 0
        self.log = open(folder / "chromium.log", "wb")  # noqa: SIM115 - closed with the browser
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.socket = Socket(self.page_address())
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")

    def page_address(self):
        told = self.folder / "profile" / "DevToolsActivePort"
        begun = time.monotonic()
        while time.monotonic() - begun < LONGEST_START:
            if self.process.poll() is not None:
                break
            lines = told.read_text().splitlines() if told.exists() else []
            if len(lines) > 1:
                with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=10) as answer:
                    pages = [one for one in json.load(answer) if one["type"] == "page"]
                if pages:
                    return pages[0]["webSocketDebuggerUrl"]
            time.sleep(0.05)
        raise RuntimeError(f"the browser did not start: {(self.folder / 'chromium.log').read_text()[-800:]}")

    def call(self, method, **parameters):
        self.last += 1
        self.socket.send(json.dumps({"id": self.last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.receive())
            if message.get("id") == self.last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def ask(self, expression):
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def until(self, expression, what):
        """Waits until an expression holds in whatever page there is by then."""
        begun, told = time.monotonic(), None
        while time.monotonic() - begun < LONGEST_ANSWER:
            try:
                if self.ask(f"document.readyState === 'complete' && Boolean({expression})"):
                    return
            except RuntimeError as error:
                # The page was left while it was asked.
                told = error
            time.sleep(0.05)
        place = self.ask("location.pathname + ' ' + document.body.innerText.slice(0, 300)")
        raise RuntimeError(f"waited in vain for {what}: {place} {told or ''}")

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.until(f"location.href.startsWith({json.dumps(address.split('?')[0])}) || true", address)

    def fill(self, **fields):
        for name, value in fields.items():
            found = json.dumps(f'[name="{name}"]')
            self.ask(f"document.querySelector({found}).value = {json.dumps(value)}")

    def press(self, selector):
        """Presses a button as a person does."""
        self.ask(f"document.querySelector({json.dumps(selector)}).click()")

    def authenticator(self):
        """A made-up authenticator that verifies its user; gives its id."""
        self.call("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        return self.call("WebAuthn.addVirtualAuthenticator", options=options)["authenticatorId"]

    def close(self):
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()
