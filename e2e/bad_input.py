"""What a careless or hostile client may send: each gets a refusal that says what is wrong, memory and disk
stay bounded, and others are answered meanwhile."""

import json
import select
import socket
import statistics
import sys
import threading
import time

from lib import ledger, samples, wrong
from lib.checks import Checks, say, wait_until
from lib.fhir import GONE, JSON, Browser, Connection
from lib.program import PASSWORD, Installation, Scratch

MEGABYTE = 1 << 20
# What the neighbour writes meanwhile, and the write-ahead log that goes with it.
MOST_DISK = 24 * MEGABYTE
# Addresses of the loopback network from which the bad ones come; the good one is 127.0.0.1.
SLOW, HALF_OPEN, FLOOD = "127.0.0.11", "127.0.0.12", "127.0.0.13"
FLOOD_REQUESTS, FLOOD_THREADS = 5_000, 10
# A flood ends in two seconds; where the disk is slow the neighbour has asked four times by then. So it goes
# on until the neighbour has asked often enough, up to this many times as long.
LONGEST_FLOOD = 20
# Seconds for which oversized bodies go on for the same reason.
LONGEST_SIZES = 60
# A body may take 30 s, a head 15 s; then the connection is given up.
BODY_LIMIT, HEAD_LIMIT = 30, 15
# What a debug build may grow by in all: it keeps what the largest bodies (10 MiB) and the checking of
# passwords (19 MiB for each of several threads) once needed. A flood of refusals needs nothing that stays.
MOST_GROWTH = 320 * MEGABYTE
MOST_FLOOD_GROWTH = 32 * MEGABYTE
# Counted refusals are written every minute.
COUNTED_WITHIN = 75


class Raw:
    """A connection on which anything can be said."""

    def __init__(self, address, source="127.0.0.1", seconds=60):
        self.socket = socket.create_connection(address, timeout=seconds, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        """Sends until the other side answers or hangs up; how much was sent."""
        sent = 0
        while sent < len(data):
            readable, writable, _ = select.select([self.socket], [self.socket], [], 30)
            if readable or not writable:
                break
            try:
                sent += self.socket.send(data[sent : sent + 65_536])
            except OSError:
                break
        return sent

    def answer(self, seconds=60):
        """Status, head and body of what comes; status 0 when the other side hung up without a word."""
        data, deadline = b"", time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                self.socket.settimeout(max(0.1, deadline - time.monotonic()))
                piece = self.socket.recv(65_536)
                if not piece:
                    break
                data += piece
                if _complete(data):
                    break
        except OSError:
            pass
        head, _, body = data.partition(b"\r\n\r\n")
        parts = head.split(b" ", 2)
        return (int(parts[1]) if len(parts) > 1 else 0), head.decode("latin-1"), body

    def close(self):
        self.socket.close()


def _complete(data):
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return False


def outcome_of(body):
    try:
        found = json.loads(body)
    except ValueError:
        return []
    return found.get("issue", []) if found.get("resourceType") == "OperationOutcome" else []


# Requests of a neighbour that tell how long others wait.
OFTEN_ENOUGH = 5


class Neighbour(threading.Thread):
    """A well-behaved client that goes on reading and writing."""

    def __init__(self, server, token, person):
        super().__init__(daemon=True)
        self.connection, self.person = Connection(server.fhir, token), person
        self.stopped, self.times, self.wrong = threading.Event(), [], []

    def run(self):
        while not self.stopped.is_set():
            begun = time.monotonic()
            try:
                made = self.connection.create(samples.observation(self.person))
                read = self.connection.read("Observation", made.id) if made.status == 201 else made
            except GONE as error:
                self.wrong.append(repr(error))
                continue
            self.times.append((time.monotonic() - begun) / 2)
            if (made.status, read.status) != (201, 200):
                self.wrong.append(f"{made!r} {read!r}")
            time.sleep(0.02)

    def end(self, checks, what):
        self.stopped.set()
        self.join(60)
        checks.equal(self.wrong[:3], [], f"{what}: a well-behaved client is answered")
        checks.that(len(self.times) >= OFTEN_ENOUGH, f"{what}: and often enough to tell", len(self.times))
        if self.times:
            say(
                f"{what}: neighbour's {2 * len(self.times)} requests: median "
                f"{statistics.median(self.times) * 1e3:.0f} ms, slowest {max(self.times) * 1e3:.0f} ms"
            )


class Place:
    """The installation under fire."""

    def __init__(self, checks, folder):
        self.checks, self.folder = checks, folder
        self.installation = Installation(folder / "home").init()
        institution = self.installation.institution()
        self.token = self.installation.token(institution)
        self.installation.staff("kango", "試験 看護", "--occupation", "nurse", "--institution", institution)
        self.server = self.installation.server().start()
        self.client = Connection(self.server.fhir, self.token)
        self.person = self.client.create(samples.patient()).id
        self.good = samples.observation(self.person)

    def neighbour(self):
        neighbour = Neighbour(self.server, self.token, self.person)
        neighbour.start()
        return neighbour

    def head(self, method, path, length, **more):
        lines = {
            "Host": "localhost",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": JSON,
            "Content-Length": str(length),
        } | {name.replace("_", "-"): value for name, value in more.items()}
        told = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode()

    def disk(self):
        return sum(path.stat().st_size for path in (self.installation.home / "data").iterdir())

    def entries(self):
        return self.installation.must("--json", "ledger", "verify").json()["entries"]


# ---------------------------------------------------------------------------------------- contents


def contents(place):
    checks = place.checks
    made = place.client.create(place.good).id
    cases = [
        (name, "POST", wrong.TYPE, {}, body, statuses, told)
        for name, body, statuses, told in wrong.wrong_bodies(place.good)
    ]
    for name, method, path, headers, body, statuses, told in (
        *cases,
        *wrong.wrong_requests(place.good, made),
    ):
        reply = place.client.ask(method, path, body, headers)
        if reply.status == 201:
            checks.that(201 in statuses, f"{name} is refused", repr(reply))
            continue
        checks.that(reply.status in statuses, f"{name}: {sorted(statuses)}", repr(reply))
        checks.that(reply.issues(), f"{name}: an OperationOutcome with an issue", repr(reply))
        checks.that(told in reply.body.decode("utf-8", "replace"), f"{name}: tells of {told!r}", repr(reply))
        checks.equal(reply.header("content-type"), f"{JSON}; charset=utf-8", f"{name}: its media type")
        nobody = not any(word in reply.body.decode("utf-8", "replace") for word in samples.PERSONAL)
        checks.that(nobody, f"{name}: names nobody")
    checks.equal(place.client.create(place.good).status, 201, "and what is right is still taken")


# ------------------------------------------------------------------------------------------- sizes


def sizes(place):
    checks = place.checks
    padding = json.dumps(place.good).encode()
    neighbour = place.neighbour()
    huge = padding[:-1] + b',"x":"' + b"a" * (20 * MEGABYTE) + b'"}'
    for what, head in (
        ("20 MB with its length", place.head("POST", "/fhir/Observation", len(huge))),
        ("a length beyond all numbers", place.head("POST", "/fhir/Observation", 10**30)),
        ("a length of 2^63", place.head("POST", "/fhir/Observation", 2**63)),
        ("a negative length", place.head("POST", "/fhir/Observation", -1)),
    ):
        raw = Raw(place.server.fhir)
        raw.send(head + huge)
        status, _, body = raw.answer()
        raw.close()
        if "20 MB" in what or "2^63" in what:
            checks.equal(status, 413, f"{what}: too large")
            checks.that(outcome_of(body), f"{what}: an OperationOutcome", body[:300])
        else:
            checks.that(status in (0, 400, 413), f"{what}: refused", status)
    raw = Raw(place.server.fhir)
    raw.send(place.head("POST", "/fhir/Observation", 0, Content_Length=None, Transfer_Encoding="chunked"))
    for start in range(0, len(huge), MEGABYTE):
        piece = huge[start : start + MEGABYTE]
        if raw.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n") < len(piece):
            break
    status, _, body = raw.answer()
    raw.close()
    checks.equal(status, 413, "20 MB in chunks: too large")
    checks.that(outcome_of(body), "20 MB in chunks: an OperationOutcome", body[:300])
    # As much as is allowed, of the kind that costs most to read.
    for what, filling in (
        ("10 MB of brackets", b"[" * (10 * MEGABYTE - 4_096)),
        ("10 MB of empty objects", b"[" + b"{}," * (3 * MEGABYTE) + b"{}]"),
        ("10 MB of digits", b"1" * (10 * MEGABYTE - 4_096)),
        ("10 MB of escapes", b'"' + b"\\u3042" * (10 * MEGABYTE // 6 - 1_000) + b'"'),
    ):
        begun = time.monotonic()
        reply = place.client.ask("POST", "/fhir/Observation", padding[:-1] + b',"x":' + filling + b"}")
        took = time.monotonic() - begun
        checks.that(reply.status in (400, 413, 422) and reply.issues(), f"{what}: refused", repr(reply))
        checks.that(took < 30, f"{what}: refused soon", f"{took:.1f} s")
    for what, lines in (
        ("a header of 200 KB", "X-Long: " + "a" * 200_000 + "\r\n"),
        ("5,000 headers", "".join(f"X-{number}: a\r\n" for number in range(5_000))),
    ):
        raw = Raw(place.server.fhir)
        raw.send(f"GET /fhir/metadata HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        status, _, _ = raw.answer()
        raw.close()
        checks.that(status in (0, 400, 431), f"{what}: refused", status)
    for what, text in (
        (
            "an address of 60 KB",
            f"GET /fhir/Observation?patient={'a' * 60_000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        ("no HTTP", "\x16\x03\x01\x00\xa5 hello\r\n\r\n"),
        ("HTTP/9.9", "GET / HTTP/9.9\r\n\r\n"),
        (
            "two lengths",
            "POST /fhir/Observation HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        ),
        (
            "a length and chunks",
            "POST /fhir/Observation HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ):
        raw = Raw(place.server.fhir)
        raw.send(text.encode("latin-1"))
        status, _, _ = raw.answer(20)
        raw.close()
        checks.that(status in (0, 400, 401, 414, 431, 505), f"{what}: refused", status)
    reply = Browser(place.server.staff).post("/sign-in", {"login": "a" * MEGABYTE, "password": "x"})
    checks.equal(reply.status, 413, "a form of 1 MB: too large")
    # On a quick machine all of it is over before the neighbour has asked often enough, the more so where the
    # disk is slow: then it goes on until they have.
    costly = padding[:-1] + b',"x":' + b"[" * (10 * MEGABYTE - 4_096) + b"}"
    deadline = time.monotonic() + LONGEST_SIZES
    while len(neighbour.times) < OFTEN_ENOUGH and time.monotonic() < deadline:
        place.client.ask("POST", "/fhir/Observation", costly)
    neighbour.end(checks, "sizes")


# ------------------------------------------------------------------------------------------- speed


def slowness(place):
    """Slow bodies, slow heads and half-open connections; all at once, beside somebody who behaves."""
    checks = place.checks
    neighbour = place.neighbour()
    held, results = [], {}

    def slow_body():
        raw = Raw(place.server.fhir, SLOW)
        raw.send(place.head("POST", "/fhir/Observation", 500))
        begun = time.monotonic()
        while not select.select([raw.socket], [], [], 1)[0] and time.monotonic() - begun < 3 * BODY_LIMIT:
            try:
                raw.socket.send(b" ")
            except OSError:
                break
        results["body"] = (*raw.answer(5), time.monotonic() - begun)
        raw.close()

    def slow_head():
        raw = Raw(place.server.fhir, SLOW)
        begun = time.monotonic()
        raw.send(b"GET /fhir/metadata HTTP/1.1\r\nHost: local")
        while not select.select([raw.socket], [], [], 1)[0] and time.monotonic() - begun < 3 * HEAD_LIMIT:
            try:
                raw.socket.send(b"l")
            except OSError:
                break
        results["head"] = (*raw.answer(5), time.monotonic() - begun)
        raw.close()

    threads = [threading.Thread(target=work, daemon=True) for work in [slow_body, slow_head]]
    # More than one address may hold, some with half a request.
    refused = 0
    for number in range(200):
        try:
            raw = Raw(place.server.fhir, HALF_OPEN, seconds=5)
        except OSError:
            refused += 1
            continue
        if number % 2:
            raw.send(b"POST /fhir/Observation HTTP/1.1\r\nHo")
        held.append(raw)
    for thread in threads:
        thread.start()
    time.sleep(1)
    closed = sum(1 for raw in held if _hung_up(raw))
    checks.that(
        0 < closed + refused < 200, "200 connections from one address: beyond the limit closed", closed
    )
    say(f"slowness: of 200 connections from one address {closed + refused} were turned away at once")
    for thread in threads:
        thread.join(4 * BODY_LIMIT)
    status, _, body, took = results["body"]
    checks.equal(status, 408, f"a body of a byte a second is given up: {took:.1f} s")
    checks.that(BODY_LIMIT - 2 < took < BODY_LIMIT + 10, "a slow body: after its time", f"{took:.1f} s")
    checks.that(outcome_of(body), "a slow body: an OperationOutcome", body[:300])
    status, _, _, took = results["head"]
    checks.that(status in (0, 408), "a slow head is given up", status)
    checks.that(HEAD_LIMIT - 2 < took < HEAD_LIMIT + 10, "a slow head: after its time", f"{took:.1f} s")
    left = wait_until(lambda: all(_hung_up(raw) for raw in held), 15, every=0.5)
    checks.that(left, "half-open connections are given up")
    for raw in held:
        raw.close()
    neighbour.end(checks, "slowness")


def _hung_up(raw):
    """Whether the other side closed."""
    try:
        raw.socket.setblocking(False)
        return raw.socket.recv(4_096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


# ------------------------------------------------------------------------------------------- flood


def flood(place):
    """Refused requests by the thousand from one address."""
    checks = place.checks
    entries, disk, memory = place.entries(), place.disk(), place.server.memory()
    made_before = place.client.create(place.good)
    neighbour = place.neighbour()
    statuses, wrong, asked, lock = {}, [], [0] * FLOOD_THREADS, threading.Lock()
    fewest = FLOOD_REQUESTS // FLOOD_THREADS

    def work(number):
        connection = Connection(place.server.fhir, f"{number:064d}", source=FLOOD)
        while asked[number] < fewest or (
            asked[number] < LONGEST_FLOOD * fewest and len(neighbour.times) < OFTEN_ENOUGH
        ):
            asked[number] += 1
            try:
                reply = connection.read("Observation", made_before.id)
            except GONE as error:
                reply = None
                wrong.append(repr(error))
            with lock:
                status = reply.status if reply else 0
                statuses[status] = statuses.get(status, 0) + 1
                if reply and not (reply.status in (401, 429, 503) and reply.issues()):
                    wrong.append(repr(reply))
        connection.close()

    begun = time.monotonic()
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(FLOOD_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    took = time.monotonic() - begun
    neighbour.end(checks, "flood")
    checks.equal(wrong[:3], [], "flood: every refusal is a 401, 429 or 503 with an OperationOutcome")
    checks.equal(sum(statuses.values()), sum(asked), "flood: all were answered")
    kept = place.server.memory() - memory
    checks.that(kept < MOST_FLOOD_GROWTH, "flood: no memory is kept for it", f"{kept / MEGABYTE:.0f} MiB")
    own = 2 * len(neighbour.times) + 1
    say(f"flood: {sum(asked)} refusals in {took:.1f} s: {statuses}, {kept / MEGABYTE:+.0f} MiB")
    counted = wait_until(lambda: refusals(place) >= sum(asked), COUNTED_WITHIN, every=3)
    checks.that(counted, "flood: the ledger counts every refusal", refusals(place))
    grown = place.entries() - entries - own
    bytes_grown = place.disk() - disk
    checks.that(0 < grown < 20, "flood: refusals before sign-in are entries by the minute, not each", grown)
    checks.that(bytes_grown < MOST_DISK, "flood: the disk stays bounded", f"{bytes_grown} bytes")
    say(f"flood: {grown} ledger entries beside the neighbour's {own}, files grew by {bytes_grown} bytes")


def refusals(place):
    """How many refusals the ledger's entries stand for."""
    folder = place.folder / f"copy-{time.monotonic_ns()}"
    copy = ledger.export(place.installation, folder)
    return sum(
        entry[ledger.COUNT]
        for entry in copy.entries()
        if (entry[ledger.ACTION], entry[ledger.OUTCOME]) == ("sign-in", "refused")
    )


def passwords(place):
    """Guessing passwords is slowed down, and tells nobody which accounts there are."""
    checks = place.checks
    # Where somebody signed in before, nobody elsewhere locks them out.
    own = Browser(place.server.staff)
    checks.that(own.sign_in("kango", PASSWORD).status in (200, 303), "guessing: its owner signs in before")
    pages = {}
    for login in ("kango", "nobody"):
        browser = Browser(place.server.staff, source=FLOOD)
        replies = [browser.sign_in(login, f"wrong-{number}") for number in range(12)]
        statuses = [reply.status for reply in replies]
        checks.that(set(statuses) <= {401, 429}, f"guessing: {login} is refused", statuses)
        checks.equal(statuses[-1], 429, f"guessing: {login} has to wait in the end")
        pages[login] = statuses
    checks.equal(
        pages["kango"], pages["nobody"], "guessing: an account that exists answers like one that does not"
    )
    own = Browser(place.server.staff)
    checks.equal(
        own.sign_in("kango", PASSWORD).status in (200, 303),
        True,
        "guessing: its owner signs in where they did before",
    )


def main():
    checks = Checks("bad_input")
    with Scratch() as folder:
        place = Place(checks, folder)
        try:
            # Once through everything small, so that what is kept for good is there.
            checks.section("contents", contents, place)
            before = place.server.memory()
            for title, part in (
                ("sizes", sizes),
                ("slowness", slowness),
                ("flood", flood),
                ("passwords", passwords),
                ("contents again", contents),
            ):
                if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
                    checks.section(title, part, place)
                    say(f"{title}: resident memory {place.server.memory() / MEGABYTE:.0f} MiB")
            after = place.server.memory()
            growth = (after - before) / MEGABYTE
            say(f"memory: {before / MEGABYTE:.0f} MiB before, {after / MEGABYTE:.0f} MiB after")
            checks.that(after - before < MOST_GROWTH, "memory stays bounded", f"{growth:.0f} MiB")
            checks.that(place.server.process.poll() is None, "the server is still the same process")
            answer = place.installation.run("--json", "ledger", "verify")
            checks.equal((answer.code, answer.json()["findings"]), (0, []), "the ledger is whole")
            log = place.server.log.read_text(encoding="utf-8", errors="replace")
            checks.that("panicked" not in log, "nothing panicked", place.server.tail())
            named = [word for word in (*samples.PERSONAL, place.token, PASSWORD, place.person) if word in log]
            checks.equal(named, [], "the log names nobody and holds no secret")
        finally:
            place.server.kill()
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
