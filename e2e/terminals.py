"""Registered terminals over real TLS: right certificate in; none, foreign and revoked out, also on connections
and TLS sessions that were good before, and at once on another program of the same installation. Then the same
behind a reverse proxy, and zones by address."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from lib import postgres
from lib.checks import Checks, say, wait_until
from lib.program import PASSWORD, Installation, Scratch, Server, address_of


def openssl(*arguments, text=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode()}")
    return done.stdout


def self_signed(folder, name, *more):
    """Certificate and key, in files."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", *more,
        "-keyout", key, "-out", certificate,
    )  # fmt: skip
    key.chmod(0o600)
    return certificate, key


class Terminal:
    """What `mimamori terminal add`, or `renew`, gave out, unpacked by OpenSSL."""

    def __init__(self, installation, folder, name, renews=None):
        self.file, self.pem = folder / f"{name}.p12", folder / f"{name}-terminal.pem"
        asked = ["renew", renews] if renews else ["add", name, "--place", "2階"]
        told = installation.must("terminal", *asked, "--out", str(self.file), "--json").json()
        self.id, self.passphrase = told["terminal"], told["passphrase"]
        passed = f"pass:{self.passphrase}"
        self.pem.write_bytes(openssl("pkcs12", "-in", self.file, "-nodes", "-passin", passed))
        self.der = openssl("x509", "-in", self.pem, "-outform", "der")
        self.mode = self.file.stat().st_mode & 0o777


class Client:
    """A keep-alive client over TLS."""

    def __init__(self, address, trusted, pem=None, version=None):
        self.context = ssl.create_default_context(cafile=str(trusted))
        if version is not None:
            self.context.maximum_version = version
        if pem:
            self.context.load_cert_chain(str(pem))
        self.address, self.connection = address, None

    def connect(self, session=None):
        self.connection = http.client.HTTPSConnection(*self.address, context=self.context, timeout=30)
        raw = socket.create_connection(self.address, timeout=30)
        self.connection.sock = self.context.wrap_socket(raw, server_hostname="localhost", session=session)
        return self.connection.sock

    def get(self, path="/sign-in", headers=None):
        """Status, text and whether the server will close."""
        self.connection.request("GET", path, headers=headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer.getheader("connection") == "close"


def refused(work, *arguments):
    """Whether TLS or the server ended the connection."""
    try:
        work(*arguments)
    except (ssl.SSLError, ConnectionError, http.client.HTTPException, OSError):
        return True
    return False


def fresh(address, trusted, pem=None):
    client = Client(address, trusted, pem)
    client.connect()
    return client.get()


def curl(address, trusted, path, *more):
    """An independent client that reads the PKCS#12 itself."""
    host, port = address
    done = subprocess.run(
        ["curl", "-sS", "-m", "30", "--cacert", str(trusted), "-o", "/dev/null", "-w", "%{http_code}"]
        + [*map(str, more), f"https://{host}:{port}{path}"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode()


class Guarded(Server):
    """A server with the listeners for certificates."""

    def __init__(self, installation, certificate, key, log, **more):
        listening = {"MIMAMORI_LISTEN_TERMINALS": "127.0.0.1:0", "MIMAMORI_LISTEN_PROGRAMS": "127.0.0.1:0"}
        tls = {"MIMAMORI_TLS_CERTIFICATE": str(certificate), "MIMAMORI_TLS_KEY": str(key)}
        super().__init__(installation, listening | tls | more)
        self.log = log

    def start(self):
        super().start()
        text = self.log.read_text(encoding="utf-8", errors="replace")
        served = re.findall(r'serving .*terminals="?([\d.:]+)"? programs="?([\d.:]+)"?', text)[-1]
        self.terminals, self.programs = map(address_of, served)
        return self


def exchanged(checks, installation, folder, database, servers, trusted, earlier):
    """Every program that runs takes up a new authority for terminals, and lets go of the earlier one."""
    kept = Client(servers[-1].terminals, trusted, earlier.pem)
    kept.connect()
    checks.equal(kept.get()[0], 200, f"{database}: a terminal of the first authority works")
    installation.must("terminal", "authority", "renew", "--days", "30")
    later = Terminal(installation, folder, "ward-3")
    believed = installation.must("terminal", "authority").out.count("BEGIN CERTIFICATE")
    checks.equal(believed, 2, f"{database}: two authorities are believed")
    for number, server in enumerate(servers):
        begun = time.monotonic()
        taken = wait_until(lambda: not refused(fresh, server.terminals, trusted, later.pem), 45, every=0.5)
        say(f"{database}: program {number} believed the new authority {time.monotonic() - begun:.0f} s later")
        checks.that(taken, f"{database}: program {number} believes the new authority")
        checks.equal(fresh(server.terminals, trusted, later.pem)[0], 200, f"{database}: and lets its terminal in")
        checks.equal(fresh(server.terminals, trusted, earlier.pem)[0], 200, f"{database}: the earlier one still")
    early = installation.run("terminal", "authority", "retire")
    checks.that(early.code != 0 and "renew them first" in early.err, f"{database}: not before all are renewed", repr(early))
    renewed = Terminal(installation, folder, "ward-1-renewed", renews=earlier.id)
    checks.equal(renewed.id, earlier.id, f"{database}: a renewed terminal stays the one it is")
    installation.must("terminal", "authority", "retire")
    for number, server in enumerate(servers):
        gone = lambda: refused(fresh, server.terminals, trusted, earlier.pem)  # noqa: E731
        checks.that(wait_until(gone, 45, every=0.5), f"{database}: program {number} lets go of the earlier one")
        for terminal in (later, renewed):
            checks.equal(fresh(server.terminals, trusted, terminal.pem)[0], 200, f"{database}: and keeps the new ones")
    status = None if refused(kept.get) else kept.get()[0]
    checks.that(status in (None, 403), f"{database}: not on a connection from before either", status)


def certificates(checks, installation, folder, database):
    trusted, key = self_signed(folder, "server", "-addext", "basicConstraints=critical,CA:FALSE")
    foreign, foreign_key = self_signed(folder, "foreign")
    stranger = folder / "stranger.pem"
    stranger.write_bytes(foreign.read_bytes() + foreign_key.read_bytes())
    good, lost = (Terminal(installation, folder, name) for name in ("ward-1", "ward-2"))
    checks.equal(good.mode, 0o600, f"{database}: the file is for this account only")
    ledgered = installation.must("terminal", "list", "--json").json()
    checks.equal(len(ledgered), 2, f"{database}: both are listed")

    # SQLite serves one program, PostgreSQL any number.
    programs = 2 if database == "postgres" else 1
    with contextlib.ExitStack() as stack:
        logs = [folder / f"{database}-{number}.log" for number in range(programs)]
        servers = [stack.enter_context(Guarded(installation, trusted, key, log)) for log in logs]
        one, at = servers[0], servers[0].terminals
        checks.equal(fresh(at, trusted, good.pem)[0], 200, f"{database}: the right certificate is let in")
        checks.that(refused(fresh, at, trusted), f"{database}: none is not")
        checks.that(refused(fresh, at, trusted, stranger), f"{database}: one of another authority is not")
        checks.equal(
            curl(at, trusted, "/sign-in", "--cert-type", "P12", "--cert", f"{good.file}:{good.passphrase}"),
            (0, "200"),
            f"{database}: curl uses the file as it was given out",
        )
        checks.that(curl(at, trusted, "/sign-in")[0] != 0, f"{database}: curl without one is not let in")
        checks.that(refused(fresh, one.programs, trusted), f"{database}: nor at the programs' entrance")

        # Good connections, kept alive, and sessions to resume, on every program.
        kept, sessions = [], []
        for server in servers:
            client = Client(server.terminals, trusted, lost.pem)
            client.connect()
            checks.equal(client.get()[0], 200, f"{database}: a terminal works before it is lost")
            kept.append(client)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                resumable = Client(server.terminals, trusted, lost.pem, version=version)
                sock = resumable.connect()
                resumable.get()
                sessions.append((resumable, sock.session, version.name))
        installation.must("terminal", "revoke", lost.id, "--reason", "紛失")
        for client in kept:
            status, text, closes = client.get()
            checks.equal(status, 403, f"{database}: revoked, on a connection that was good before")
            checks.that("証明書は使えません" in text, f"{database}: and the page says why", text[-600:])
            checks.that(closes, f"{database}: and the connection is closed")
        for client, session, name in sessions:
            # Asked before the answer: it closes the connection.
            checks.that(client.connect(session).session_reused, f"{database}: {name}: the session is resumed")
            status = client.get()[0]
            checks.equal(status, 403, f"{database}: {name}: revoked, on a resumed session")
        checks.equal(fresh(at, trusted, lost.pem)[0], 403, f"{database}: revoked, on a new connection")
        checks.equal(fresh(at, trusted, good.pem)[0], 200, f"{database}: the other terminal still works")
        client = Client(one.programs, trusted, lost.pem)
        client.connect()
        status, text, closes = client.get("/fhir/metadata")
        checks.equal(
            (status, json.loads(text)["resourceType"], closes),
            (403, "OperationOutcome", True),
            f"{database}: a program with a revoked certificate is told so",
        )
        # The list is published without a certificate, on the ordinary listener.
        client = Client(one.staff, trusted)
        client.connect()
        client.connection.request("GET", "/terminals.crl")
        answer = client.connection.getresponse()
        crl = answer.read()
        checks.equal(answer.getheader("content-type"), "application/pkix-crl", f"{database}: the list is published")
        shown = openssl("crl", "-inform", "der", "-noout", "-text", text=crl).decode()
        listed = {terminal["id"]: terminal for terminal in installation.must("terminal", "list", "--json").json()}
        serials = [certificate["serial"].upper() for certificate in listed[lost.id]["certificates"]]
        checks.that(all(serial in shown.replace(":", "") for serial in serials), f"{database}: it names the certificate", shown)
        exchanged(checks, installation, folder, database, servers, trusted, good)
        verified = installation.must("ledger", "verify").out
        checks.that("whole" in verified, f"{database}: the ledger is whole", verified)


def behind_a_proxy(checks, installation, folder):
    """The certificate as a header: believed from a configured address, dropped from any other."""
    good = Terminal(installation, folder, "proxied")
    header = {"Client-Cert": f":{base64.b64encode(good.der).decode()}:", "X-Forwarded-For": "198.51.100.7"}
    zones = {"MIMAMORI_NETWORK_ZONES": "home-visit = 198.51.100.0/24; staff-network = 127.0.0.0/8"}
    believed = {"MIMAMORI_NETWORK_PROXIES": "127.0.0.1", "MIMAMORI_NETWORK_CERTIFICATE_HEADER": "client-cert"}

    def ask(server, headers, body=None):
        connection = http.client.HTTPConnection(*server.staff, timeout=30)
        plain = {"Host": "localhost", "Accept-Language": "ja", **headers}
        if body is None:
            connection.request("GET", "/sign-in", headers=plain)
        else:
            plain |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
            connection.request("POST", "/sign-in", urllib.parse.urlencode(body), plain)
        answer = connection.getresponse()
        cookie = answer.getheader("Set-Cookie") or ""
        # After failed tries the page tells of them before it leads on.
        status = 303 if cookie.startswith("session=") and len(cookie) > 60 else answer.status
        return status, answer.read().decode()

    who = {"login": "homon", "password": PASSWORD}
    with Server(installation, zones | believed) as server:
        status, text = ask(server, {"X-Forwarded-For": "198.51.100.7"}, who)
        checks.equal(status, 403, "proxy: visits without a registered terminal: no sign-in")
        checks.that("この場所や端末" in text, "proxy: and the page says what to do", text[-800:])
        checks.equal(ask(server, header, who)[0], 303, "proxy: with the certificate that it passes: signed in")
        checks.equal(ask(server, header | {"X-Forwarded-For": "203.0.113.9"}, who)[0], 403, "proxy: from outside")
        checks.equal(ask(server, {"X-Forwarded-For": "127.0.0.9"}, who)[0], 303, "proxy: inside no terminal is asked for")
        checks.equal(
            ask(server, {"Client-Cert": ":AAAA:", "X-Forwarded-For": "127.0.0.9"})[0],
            403,
            "proxy: an unknown certificate is refused",
        )
        installation.must("terminal", "revoke", good.id, "--reason", "廃棄")
        checks.equal(ask(server, header)[0], 403, "proxy: revoked, at once")
    with Server(installation, zones) as server:
        checks.equal(ask(server, header)[0], 200, "no proxy is configured: the header is dropped")
        checks.equal(ask(server, header, who)[0], 303, "and the stated address too")
    answer = installation.run("serve", environment={"MIMAMORI_NETWORK_ZONES": "moon = 10.0.0.0/8"})
    checks.that(answer.code != 0 and "moon" in answer.err, "zones that the rules do not know are refused", answer)
    told = installation.run("doctor", environment=zones | believed).out
    checks.that("home-visit 198.51.100.0/24" in told and "1 range of proxies" in told, "doctor says what is set", told)


class Program:
    """A program with keys of its own; signs by `cryptography`, which is none of our code."""

    def __init__(self, kind):
        self.kind, self.kid, self.count = kind, f"key-{kind}", 0
        if kind == "ES384":
            self.key = ec.generate_private_key(ec.SECP384R1())
            numbers = self.key.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": "P-384", "x": b64(numbers.x, 48), "y": b64(numbers.y, 48)}
        else:
            self.key = rsa.generate_private_key(65537, 2048)
            numbers = self.key.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": b64(numbers.n, 256), "e": b64(numbers.e, 3)}

    def jwks(self):
        return json.dumps({"keys": [self.jwk | {"kid": self.kid, "alg": self.kind, "key_ops": ["verify"]}]})

    def assertion(self, client, audience, **changed):
        self.count += 1
        claims = {"iss": client, "sub": client, "aud": audience, "exp": int(time.time()) + 240} | changed
        claims.setdefault("jti", f"{self.kind}-{self.count}")
        header = {"alg": self.kind, "kid": self.kid, "typ": "JWT"}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims)).encode()
        if self.kind == "ES384":
            r, s = utils.decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA384())))
            signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
        else:
            signature = self.key.sign(text, padding.PKCS1v15(), hashes.SHA384())
        return text.decode() + "." + b64(signature)


def b64(value, size=None):
    raw = value if size is None else value.to_bytes(size, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def programs(checks, installation, folder):
    """SMART Backend Services: signed assertions, each once; and tokens bound to a certificate."""
    institution = installation.institution("連携病院")
    trusted, key = self_signed(folder, "gateway", "-addext", "basicConstraints=critical,CA:FALSE")
    outside = {"MIMAMORI_LISTEN_FHIR_URL": "https://fhir.example.jp/fhir"}

    def post(address, form, pem=None):
        client = Client(address, trusted, pem)
        client.connect()
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        client.connection.request("POST", "/fhir/auth/token", urllib.parse.urlencode(form), kind)
        answer = client.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def signed(program, client, **more):
        token = program.assertion(client, more.pop("audience", endpoint), **more.pop("claims", {}))
        return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": token} | more

    def search(address, token, pem=None):
        client = Client(address, trusted, pem)
        client.connect()
        return client.get("/fhir/Observation?patient=x", {"Authorization": f"Bearer {token}"})[0]

    with Guarded(installation, trusted, key, folder / "programs.log", **outside) as server:
        client = Client(server.fhir, trusted)
        client.connect()
        told = json.loads(client.get("/fhir/.well-known/smart-configuration")[1])
        endpoint = told["token_endpoint"]
        checks.equal(endpoint, "https://fhir.example.jp/fhir/auth/token", "programs: the endpoint is as it is reached")
        for kind in ("ES384", "RS384"):
            program = Program(kind)
            (folder / f"{kind}.json").write_text(program.jwks(), encoding="ascii")
            made = installation.must(
                "program", "add", kind, "--institution", institution, "--scope", "system/Observation.rs",
                "--jwks", str(folder / f"{kind}.json"), "--json",
            ).json()  # fmt: skip
            name = made["client_id"]
            form = signed(program, name, scope="system/Observation.rs")
            status, token = post(server.fhir, form)
            checks.equal((status, token.get("expires_in")), (200, 300), f"programs: {kind}: a token for five minutes")
            checks.that(search(server.fhir, token["access_token"]) != 401, f"programs: {kind}: the token is good")
            checks.equal(post(server.fhir, form)[1].get("error"), "invalid_client", f"programs: {kind}: once only")
            for form, error, what in [
                (signed(program, name, audience="https://elsewhere.example/token"), "invalid_client", "for elsewhere"),
                (signed(program, name, claims={"exp": int(time.time()) - 5}), "invalid_client", "over"),
                (signed(Program(kind), name), "invalid_client", "of another key"),
                (signed(program, name, scope="system/*.rs"), "invalid_scope", "for more than was registered"),
            ]:
                checks.equal(post(server.fhir, form)[1].get("error"), error, f"programs: {kind}: {what}")
            installation.must("program", "revoke", name)
            # What the program still had in memory does not commit; asked again, it knows.
            asked = [search(server.fhir, token["access_token"]) for _ in range(2)]
            checks.that(asked[0] in (401, 429) and asked[1] == 401, f"programs: {kind}: revoked, at once", asked)
            checks.equal(post(server.fhir, signed(program, name))[0], 401, f"programs: {kind}: and gets no other")

        bound, other = Terminal(installation, folder, "gateway-1"), Terminal(installation, folder, "gateway-2")
        name = installation.must(
            "program", "add", "mtls", "--institution", institution, "--scope", "Observation.read",
            "--terminal", bound.id,
        ).out.strip()  # fmt: skip
        form = {"grant_type": "client_credentials", "client_id": name}
        checks.equal(post(server.fhir, form)[0], 401, "programs: an id alone proves nothing")
        checks.equal(post(server.programs, form, other.pem)[0], 401, "programs: nor does another certificate")
        status, token = post(server.programs, form, bound.pem)
        checks.equal(status, 200, "programs: the registered certificate does")
        checks.that(search(server.programs, token["access_token"], bound.pem) != 401, "programs: with it the token is good")
        checks.equal(search(server.fhir, token["access_token"]), 401, "programs: without it, it is not")
        checks.equal(search(server.programs, token["access_token"], other.pem), 401, "programs: nor with another one")
        installation.must("terminal", "revoke", bound.id, "--reason", "交換")
        checks.equal(search(server.programs, token["access_token"], bound.pem), 403, "programs: revoked, at once")


def staff(installation):
    institution = installation.institution()
    installation.staff("homon", "訪問 看護", "--institution", institution, "--occupation", "nurse")
    return installation


def on_sqlite(checks, folder):
    sqlite = staff(Installation(folder / "sqlite").init())
    checks.section("certificates, SQLite", certificates, checks, sqlite, folder, "sqlite")
    checks.section("behind a reverse proxy", behind_a_proxy, checks, sqlite, folder)
    checks.section("programs", programs, checks, sqlite, folder)


def on_postgres(checks, folder):
    if postgres.programs() is None:
        checks.skip("certificates, PostgreSQL", "no PostgreSQL here")
        return
    apart = folder / "apart"
    apart.mkdir()
    apart.chmod(0o755)
    with postgres.Postgres(folder) as server:
        shared = staff(Installation(apart / "home", server.url).init())
        checks.section("certificates, PostgreSQL, two programs", certificates, checks, shared, apart, "postgres")


def main():
    checks = Checks("terminals")
    # Side by side: both wait most of the time, until running programs look for another authority.
    with Scratch() as folder, concurrent.futures.ThreadPoolExecutor(2) as both:
        for part in (on_sqlite, on_postgres):
            both.submit(checks.section, part.__name__, part, checks, folder)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
