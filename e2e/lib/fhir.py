"""A small FHIR client that keeps its connection, and a browser that only knows forms."""

import hashlib
import http.client
import json
import select
import socket
import urllib.parse

JSON = "application/fhir+json"


class Reply:
    """An answer, read whole."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return self.headers.get(name.lower(), "")

    @property
    def digest(self):
        return hashlib.sha256(self.body).digest()

    @property
    def version(self):
        return int(self.header("etag").removeprefix('W/"').removesuffix('"'))

    @property
    def id(self):
        return self.header("location").split("/_history/")[0].rsplit("/", 1)[1]

    def issues(self):
        """The issues of an OperationOutcome; empty when it is none."""
        try:
            found = self.json()
        except ValueError:
            return []
        if not isinstance(found, dict) or found.get("resourceType") != "OperationOutcome":
            return []
        return [issue for issue in found.get("issue", []) if issue.get("severity") and issue.get("code")]

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Connection:
    """One kept connection; `source` is the loopback address it comes from."""

    def __init__(self, address, token=None, seconds=60, source="127.0.0.1"):
        self.address, self.token, self.seconds, self.source = address, token, seconds, source
        self._http = None

    def ask(self, method, path, body=None, headers=None, kind=JSON):
        """Sends one request and reads the answer. Nothing is sent twice: a lost answer stays lost."""
        if self._http is not None:
            # Nothing is asked, so what there is to read is the end: an idle connection was given up.
            gone = self._http.sock is None or select.select([self._http.sock], [], [], 0)[0]
            if gone:
                self.close()
        if self._http is None:
            self._http = http.client.HTTPConnection(
                *self.address, timeout=self.seconds, source_address=(self.source, 0)
            )
            self._http.connect()
            # Head and body are two writes: without this the second waits for the peer's delayed ACK.
            self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = dict(headers or {})
        if self.token and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent.setdefault("Content-Type", kind)
            if not isinstance(body, bytes):
                body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        try:
            try:
                self._http.request(method, path, body, sent)
            except (BrokenPipeError, ConnectionResetError):
                # Refused before the whole body was sent: the answer may be there all the same.
                if body is None:
                    raise
            answer = self._http.getresponse()
            content = answer.read()
        except BaseException:
            self.close()
            raise
        # A server that refused before it read the whole body ends the connection after its answer.
        if answer.will_close or (answer.status >= 400 and body is not None):
            self.close()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)

    def create(self, resource):
        return self.ask("POST", f"/fhir/{resource['resourceType']}", resource)

    def update(self, resource, identifier, version):
        body = resource | {"id": identifier}
        path = f"/fhir/{resource['resourceType']}/{identifier}"
        return self.ask("PUT", path, body, {"If-Match": f'W/"{version}"'})

    def read(self, kind, identifier, version=None):
        history = f"/_history/{version}" if version else ""
        return self.ask("GET", f"/fhir/{kind}/{identifier}{history}")

    def close(self):
        if self._http is not None:
            self._http.close()
            self._http = None


class Browser(Connection):
    """Somebody at the pages."""

    def __init__(self, address, **more):
        super().__init__(address, **more)
        self.cookie = ""

    def get(self, path):
        return self.ask("GET", path, headers={"Cookie": self.cookie, "Accept-Language": "ja"})

    def post(self, path, fields):
        headers = {
            "Cookie": self.cookie,
            "Sec-Fetch-Site": "same-origin",
            "Origin": f"http://{self.address[0]}:{self.address[1]}",
        }
        body = urllib.parse.urlencode(fields)
        reply = self.ask("POST", path, body, headers, kind="application/x-www-form-urlencoded")
        if reply.header("set-cookie"):
            self.cookie = reply.header("set-cookie").split(";")[0]
        return reply

    def sign_in(self, login, password):
        return self.post("/sign-in", {"login": login, "password": password})


# Errors of a connection whose other end went away.
GONE = (OSError, http.client.HTTPException)
