"""Disk full, disk read-only, database gone, keys gone, fsync failed: refusals without personal data, and
back to work by itself as soon as it can."""

import sys
import threading
import time

from lib import samples, strace
from lib.checks import Checks, is_root, say, wait_until
from lib.disk import SmallDisk
from lib.fhir import GONE, Browser, Connection
from lib.postgres import Postgres, programs
from lib.program import PASSWORD, Installation, Scratch

UNAVAILABLE, INTERNAL = 69, 70
# A refusal must not keep anybody waiting for longer, nor recovery take longer once the cause is gone.
PATIENCE = 20
NEEDS_ROOT = "mounting a small disk needs root"


class Site:
    """An installation at work: a program with a token, a nurse at the pages, one person's record."""

    def __init__(self, checks, name, installation):
        self.checks, self.name, self.installation = checks, name, installation.init()
        self.institution = installation.institution()
        self.token = installation.token(self.institution)
        installation.staff("kango", "試験 看護", "--occupation", "nurse", "--institution", self.institution)
        self.server = installation.server().start()
        self.acknowledged = {}
        self.connect()
        self.person = self.client.create(samples.patient()).id
        self.record = self.create().id
        browser = Browser(self.server.staff)
        self.checks.equal(browser.sign_in("kango", PASSWORD).status, 303, f"{name}: the nurse signs in")
        self.browser = browser
        page = browser.get(f"/people/{self.person}")
        good = page.status == 200 and samples.FAMILY in page.body.decode()
        self.checks.that(good, f"{name}: the nurse sees the person", repr(page))

    def connect(self):
        self.client = Connection(self.server.fhir, self.token, seconds=90)

    def restart(self):
        self.server.start()
        self.connect()

    def create(self):
        reply = self.client.create(samples.observation(self.person, 36.6))
        if reply.status == 201:
            self.acknowledged[reply.id] = reply.digest
        return reply

    def programs_requests(self):
        """What programs ask, by name."""
        record = f"/fhir/Observation/{self.record}"
        return {
            "create": self.create,
            "read": lambda: self.client.ask("GET", record),
            "read of a version": lambda: self.client.ask("GET", record + "/_history/1"),
            "search": lambda: self.client.ask("GET", f"/fhir/Observation?patient={self.person}"),
            "person": lambda: self.client.read("Patient", self.person),
        }

    def refuses(self, cause):
        """Every access is refused, quickly, and says nothing of anybody."""
        for what, ask in self.programs_requests().items():
            begun = time.monotonic()
            reply = ask()
            took = time.monotonic() - begun
            where = f"{self.name}: {cause}: {what}"
            self.checks.equal(reply.status, 503, f"{where} is refused")
            codes = [issue["code"] for issue in reply.issues()]
            self.checks.equal(codes, ["transient"], f"{where}: an OperationOutcome that says to try again")
            self.checks.that(reply.header("retry-after"), f"{where}: says when to try again")
            self.checks.that(took < PATIENCE, f"{where}: refused without a long wait", f"{took:.1f} s")
            self.nothing_personal(reply, where)
        for path in (f"/people/{self.person}", f"/records/Observation/{self.record}"):
            where = f"{self.name}: {cause}: page {path.split('/')[1]}"
            reply = self.browser.get(path)
            self.checks.equal(reply.status, 503, f"{where} is refused")
            page = reply.body.decode()
            self.checks.that("<h1" in page and "</html>" in page, f"{where}: a whole page", page)
            self.nothing_personal(reply, where)
        reply = Browser(self.server.staff).sign_in("kango", PASSWORD)
        self.checks.equal(reply.status, 503, f"{self.name}: {cause}: nobody signs in")
        self.nothing_personal(reply, f"{self.name}: {cause}: signing in")
        self.checks.that(self.server.process.poll() is None, f"{self.name}: {cause}: the server goes on")

    def nothing_personal(self, reply, where):
        text = reply.body.decode("utf-8", "replace") + repr(reply.headers)
        found = [name for name in (*samples.PERSONAL, "36.6") if name in text]
        self.checks.equal(found, [], f"{where}: tells nothing personal")

    def recovers(self, cause):
        """Works again by itself: the same process, the same session."""
        begun = time.monotonic()
        back = wait_until(self.works, PATIENCE, every=0.2)
        took = time.monotonic() - begun
        self.checks.that(back, f"{self.name}: {cause}: works again by itself", self.server.tail())
        say(f"{self.name}: {cause}: worked again after {took:.1f} s")
        if back:
            page = self.browser.get(f"/people/{self.person}")
            self.checks.equal(page.status, 200, f"{self.name}: {cause}: the nurse goes on in her session")

    def works(self):
        return all(ask().status in (200, 201) for ask in self.programs_requests().values())

    def kept(self, cause):
        """Everything acknowledged is there and the ledger whole."""
        wrong = []
        for identifier, digest in self.acknowledged.items():
            reply = self.client.read("Observation", identifier, 1)
            if (reply.status, reply.digest) != (200, digest):
                wrong.append(f"{identifier}: {reply!r}")
        what = f"{self.name}: {cause}: {len(self.acknowledged)} acknowledged records are there, byte for byte"
        self.checks.equal(wrong[:3], [], what)
        answer = self.installation.run("--json", "ledger", "verify")
        self.checks.equal(answer.code, 0, f"{self.name}: {cause}: the ledger is whole: {answer.out[:300]}")

    def doctor_finds(self, cause, *checks):
        """`doctor` names the problem and what to do about it."""
        answer = self.installation.run("--json", "doctor")
        self.checks.equal(answer.code, 1, f"{self.name}: {cause}: doctor ends with 1")
        found = {item["check"]: item for item in answer.json() if item["state"] == "problem"}
        for check in checks:
            good = check in found and found[check]["next"] and found[check]["detail"]
            self.checks.that(good, f"{self.name}: {cause}: doctor names `{check}` and what to do", found)
        return found

    def refuses_to_start(self, cause, *words):
        """Starting ends at once with a code and a message that names what is wrong and what to do."""
        log = self.server.log
        offset = log.stat().st_size
        begun = time.monotonic()
        self.checks.equal(self.server.begin(), None, f"{self.name}: {cause}: does not serve")
        took = time.monotonic() - begun
        said = log.read_bytes()[offset:].decode("utf-8", "replace")
        self.checks.equal(
            self.server.process.poll(), UNAVAILABLE, f"{self.name}: {cause}: ends with 69: {said}"
        )
        self.checks.that(all(word in said for word in words), f"{self.name}: {cause}: says {words}", said)
        self.checks.that("panicked" not in said, f"{self.name}: {cause}: no panic", said)
        self.checks.that(took < PATIENCE, f"{self.name}: {cause}: ends soon", f"{took:.1f} s")

    def close(self):
        if self.server.process:
            self.server.kill()
        text = self.server.log.read_text(encoding="utf-8", errors="replace")
        found = [name for name in (*samples.PERSONAL, self.token, PASSWORD, self.person) if name in text]
        self.checks.equal(found, [], f"{self.name}: the log names nobody and holds no secret")
        self.checks.that("panicked" not in text, f"{self.name}: nothing panicked")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ------------------------------------------------------------------------------------------- SQLite


def full_disk(checks):
    if not is_root():
        checks.skip("full disk", NEEDS_ROOT)
        return
    with Scratch() as folder, SmallDisk(folder / "disk", 24) as disk:
        installation = Installation(disk.path / "home", log=folder / "log")
        with Site(checks, "full disk", installation) as site:
            for _ in range(20):
                checks.equal(site.create().status, 201, "full disk: there is room at first")
            for turn in ("first time", "second time"):
                disk.fill()
                site_is_full(site)
                site.refuses(turn)
                site.doctor_finds(turn, "disk space")
                disk.free()
                site.recovers(turn)
                site.kept(turn)


def site_is_full(site):
    """Uses up what room the database still had in its own files."""
    refused = 0
    for _ in range(2_000):
        statuses = {site.create().status, site.client.read("Observation", site.record).status}
        refused = refused + 1 if statuses == {503} else 0
        if refused == 5:
            return
        if not statuses <= {200, 201, 503}:
            break
    site.checks.that(False, "full disk: writing and reading come to be refused", statuses)


def failing_writes(checks):
    """What a disk says that became read-only or broke under a running server."""
    reason = strace.missing()
    if reason:
        checks.skip("writes that fail", reason)
        return
    with Scratch() as folder, Site(checks, "failing writes", Installation(folder / "home")) as site:
        wal = site.installation.home / "data" / "mimamori.db-wal"
        for fault in ("EROFS", "EIO", "ENOSPC"):
            options = ["-P", str(wal), "-e", "trace=pwrite64", "-e", f"inject=pwrite64:error={fault}"]
            with strace.Trace([site.server.pid], folder / "trace", options):
                site.refuses(fault)
            site.recovers(fault)
        site.kept("afterwards")


def read_only_disk(checks):
    if not is_root():
        checks.skip("read-only disk", NEEDS_ROOT)
        return
    with Scratch() as folder, SmallDisk(folder / "disk", 48) as disk:
        installation = Installation(disk.path / "home", log=folder / "log")
        with Site(checks, "read-only disk", installation) as site:
            site.server.stop()
            disk.read_only(True)
            site.refuses_to_start("read-only", "mimamori: ")
            site.doctor_finds("read-only", "disk fsync")
            disk.read_only(False)
            site.restart()
            site.kept("writable again")


def missing_files(checks):
    """Keys and the signer's memory; an older database put back."""
    with Scratch() as folder, Site(checks, "missing files", Installation(folder / "home")) as site:
        home = site.installation.home
        checks.equal(site.server.stop(), 0, "missing files: the server ends when told to")
        for name, finding in (
            ("keys/root.key", "root key"),
            ("keys/ring", "key ring"),
            ("state/signer", "ledger"),
            ("data/mimamori.db", "database"),
        ):
            aside = folder / "aside"
            (home / name).rename(aside)
            site.refuses_to_start(f"without {name}", name, "\n  ")
            site.doctor_finds(f"without {name}", finding)
            checks.that(not (home / name).exists(), f"missing files: {name} is not made anew")
            aside.rename(home / name)
            damaged = bytearray((home / name).read_bytes())
            if finding != "database":
                whole = bytes(damaged)
                damaged[len(damaged) // 2] ^= 1
                (home / name).write_bytes(damaged)
                site.refuses_to_start(f"with a damaged {name}", "mimamori: ", "\n  ")
                site.doctor_finds(f"with a damaged {name}")
                (home / name).write_bytes(whole)
        site.restart()
        site.kept("all put back")
        site.server.stop()
        older_database(checks, site, home)


def older_database(checks, site, home):
    """A whole older copy, put back, is noticed by what the signer remembers outside of it."""
    data = home / "data"

    def kept():
        return {path.name: path.read_bytes() for path in data.iterdir()}

    def put_back(files):
        for path in data.iterdir():
            path.unlink()
        for name, content in files.items():
            (data / name).write_bytes(content)

    older = kept()
    site.restart()
    for _ in range(3):
        checks.equal(site.create().status, 201, "missing files: written after the copy was made")
    site.server.stop()
    newer = kept()
    put_back(older)
    site.refuses_to_start("an older database", "older than what was signed", "new-epoch")
    site.doctor_finds("an older database", "ledger")
    put_back(newer)
    site.restart()
    site.kept("the right database again")


def failed_sync(checks, folder, name, installation, victims, path, faults, ends):
    """Under load every sync fails from a moment on: nothing acknowledged is lost. `ends`: the program must
    end, because the database is its own; PostgreSQL recovers by itself, and the program may go on."""
    with Site(checks, name, installation) as site:
        for fault in faults:
            lock, stopped = threading.Lock(), threading.Event()

            def work(site=site, lock=lock, stopped=stopped):
                client = Connection(site.server.fhir, site.token, seconds=30)
                try:
                    while not stopped.is_set():
                        reply = client.create(samples.observation(site.person, 36.6))
                        with lock:
                            if reply.status == 201:
                                site.acknowledged[reply.id] = reply.digest
                except GONE:
                    pass
                finally:
                    client.close()

            workers = [threading.Thread(target=work, daemon=True) for _ in range(4)]
            for worker in workers:
                worker.start()
            time.sleep(0.5)
            before = len(site.acknowledged)
            options = [*path, "-e", "trace=fdatasync,fsync", "-e", f"inject=fdatasync,fsync:error={fault}"]
            with strace.Trace(victims(site), folder / "trace", options):
                code = site.server.ended(60 if ends else 5)
            stopped.set()
            for worker in workers:
                worker.join(60)
            checks.that(before > 0, f"{name}: {fault}: there was load before")
            hit = (folder / "trace").read_text(encoding="utf-8", errors="replace").count("(INJECTED)")
            checks.that(hit > 0, f"{name}: {fault}: a sync did fail")
            if ends:
                checks.equal(code, INTERNAL, f"{name}: {fault}: the process ends with 70")
            if code is not None:
                checks.equal(code, INTERNAL, f"{name}: {fault}: if it ends, then with 70")
                said = site.server.tail(400)
                checks.that(
                    "failed to keep what was written" in said, f"{name}: {fault}: the log says why", said
                )
                # As a supervisor would: PostgreSQL may still be reading its log.
                wait_until(site.server.begin, PATIENCE, every=0.5)
                site.connect()
            else:
                site.recovers(fault)
            site.kept(fault)
            how = (
                "went on"
                if code is None
                else f"ended with {code}, started again in {site.server.started_in:.1f} s"
            )
            say(f"{name}: {fault}: {before} acknowledged before, {hit} failed; the server {how}")


def failed_sync_on_sqlite(checks):
    with Scratch() as folder:
        home = folder / "home"
        path = ["-P", str(home / "data" / "mimamori.db-wal")]
        installation = Installation(home)
        failed_sync(
            checks,
            folder,
            "failed sync, sqlite",
            installation,
            lambda site: [site.server.pid],
            path,
            ("EIO", "ENOSPC"),
            True,
        )


# --------------------------------------------------------------------------------------- PostgreSQL


def stopped_database(checks):
    with Scratch() as folder, Postgres(folder) as postgres:
        with Site(checks, "stopped database", Installation(folder / "home", postgres.url)) as site:
            for mode in ("immediate", "fast"):
                postgres.stop(mode)
                site.refuses(mode)
                site.doctor_finds(mode, "database")
                postgres.start()
                site.recovers(mode)
                site.kept(mode)
            site.server.stop()
            postgres.stop()
            site.refuses_to_start("no database", "mimamori: ", "\n  ")
            postgres.start()
            site.restart()
            site.kept("started again")


def failed_sync_on_postgres(checks):
    with Scratch() as folder, Postgres(folder) as postgres:
        installation = Installation(folder / "home", postgres.url)
        name = "failed sync, postgres"
        # Not the postmaster: it starts the others anew, and their syncs work again.
        failed_sync(
            checks, folder, name, installation, lambda _: postgres.processes()[1:], [], ("EIO",), False
        )


def main():
    checks = Checks("fail_closed")
    parts = [
        ("SQLite: the disk is full", full_disk),
        ("SQLite: writes fail under a running server", failing_writes),
        ("SQLite: the disk is read-only", read_only_disk),
        ("keys, signer's state or database missing", missing_files),
    ]
    traced = [("SQLite: a sync fails", failed_sync_on_sqlite)]
    if programs() is None:
        checks.skip("PostgreSQL", "no PostgreSQL is installed")
    else:
        parts.append(("PostgreSQL is stopped and started", stopped_database))
        traced.append(("PostgreSQL: a sync fails", failed_sync_on_postgres))
    reason = strace.missing()
    if reason:
        checks.skip("failed syncs", reason)
    else:
        parts += traced
    wanted = sys.argv[1:]
    for title, part in parts:
        if not wanted or part.__name__ in wanted:
            checks.section(title, part, checks)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
