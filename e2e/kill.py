"""Kills the server at random moments under load: what was acknowledged is there, byte for byte, and what
was answered is in the ledger. MIMAMORI_KILLS kills on each database; MIMAMORI_DATABASES chooses them."""

import concurrent.futures
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from lib import ledger, samples
from lib.checks import Checks, say, seed, wait_until
from lib.fhir import GONE, Connection
from lib.postgres import Postgres, programs
from lib.program import Installation, Scratch

KILLS = int(os.environ.get("MIMAMORI_KILLS") or 12)
DATABASES = (os.environ.get("MIMAMORI_DATABASES") or "sqlite,postgres").split(",")
WORKERS = 6
PEOPLE = 6
# Versions of earlier rounds that are read again after each kill; all are at the end.
SAMPLE = 60
# On PostgreSQL every so many rounds the database is killed with the server.
BOTH = 5
# How often the ledger is verified beside a server at work.
BESIDE = 2
# A signer that was killed keeps its lease for so long (20 s), and a little.
LEASE = 30
SLOWEST_START = 15


class Known:
    """What the clients know: every acknowledged version, and how often each was handed out."""

    def __init__(self):
        self.lock = threading.Lock()
        self.versions = {}
        self.current = {}
        self.answered = Counter()
        self.unclear = {}

    def acknowledged(self, reply, identifier):
        with self.lock:
            self.versions[identifier, reply.version] = reply.digest
            self.current[identifier] = max(reply.version, self.current.get(identifier, 0))

    def handed_out(self, identifier, version):
        with self.lock:
            self.answered[identifier, version] += 1


class Worker(threading.Thread):
    """One client: creates, updates its own, reads anybody's, until the server is gone."""

    def __init__(self, known, address, token, people, random_seed, problems):
        super().__init__(daemon=True)
        self.known, self.people, self.problems = known, people, problems
        self.random = random.Random(random_seed)
        self.connection = Connection(address, token, seconds=30)
        self.mine, self.writes, self.reads = [], 0, 0

    def run(self):
        try:
            while True:
                self.step()
        except GONE:
            pass
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.problems.append(repr(error))
        finally:
            self.connection.close()

    def step(self):
        chance = self.random.random()
        if chance < 0.5 or not self.mine:
            person = self.random.choice(self.people)
            reply = self.connection.create(samples.observation(person, round(self.random.uniform(35, 40), 2)))
            if self.expect(reply, 201):
                self.known.acknowledged(reply, reply.id)
                self.mine.append((reply.id, person))
                self.writes += 1
        elif chance < 0.7:
            identifier, person = self.random.choice(self.mine)
            version = self.known.current[identifier]
            body = samples.observation(person, round(self.random.uniform(35, 40), 2))
            # Until it is answered, the next version may or may not come to be.
            self.known.unclear[identifier] = version + 1
            reply = self.connection.update(body, identifier, version)
            if self.expect(reply, 200):
                self.known.acknowledged(reply, identifier)
                self.writes += 1
            del self.known.unclear[identifier]
        else:
            identifier, _ = self.random.choice(self.mine)
            reply = self.connection.read("Observation", identifier)
            if self.expect(reply, 200):
                self.known.handed_out(identifier, reply.version)
                self.reads += 1
                if self.known.versions.get((identifier, reply.version)) != reply.digest:
                    self.problems.append(f"{identifier}/{reply.version} was read with other bytes")

    def expect(self, reply, status):
        if reply.status != status:
            self.problems.append(f"{reply!r} instead of {status}")
        return reply.status == status


class Killing:
    """The test on one database."""

    def __init__(self, checks, database, folder, chance):
        self.checks, self.database, self.random = checks, database, chance
        self.postgres = Postgres(folder).start().create() if database == "postgres" else None
        self.installation = Installation(folder / "home", self.postgres and self.postgres.url).init()
        self.token = self.installation.token(self.installation.institution())
        self.server = self.installation.server()
        self.folder, self.known, self.starts = folder, Known(), []
        self.people, self.lost, self.writes, self.reads = [], 0, 0, 0

    def run(self):
        self.server.start()
        connection = Connection(self.server.fhir, self.token)
        for number in range(PEOPLE):
            reply = connection.create(samples.patient(number))
            self.checks.equal(reply.status, 201, f"{self.database}: a patient is made")
            self.people.append(reply.id)
        connection.close()
        self.verified_under_load()
        for number in range(1, KILLS + 1):
            self.round(number)
        self.ending()

    def verified_under_load(self):
        """What is added while `verify` walks is no finding; then the first kill of all."""
        workers, problems = self.load()
        for number in range(1, BESIDE + 1):
            self.verify(f"{self.database}, beside a server at work, {number}")
        self.server.kill()
        self.finish(f"{self.database}, beside a server at work", workers, problems)
        self.server.start()
        self.settle(f"{self.database}, after it")

    def round(self, number):
        what = f"{self.database}, kill {number}"
        before = set(self.known.versions)
        delay = self.random.uniform(0.15, 1.6)
        workers, problems = self.load()
        time.sleep(delay)
        running = self.server.process.poll() is None
        self.server.kill()
        with_database = self.postgres is not None and number % BOTH == 0
        if with_database:
            self.postgres.stop("immediate")
            self.postgres.start()
        self.checks.that(running, f"{what}: the server lived until then")
        self.finish(what, workers, problems)
        # In turns: what is there is verified before the next start or beside it.
        if number % 2:
            self.verify(what)
        self.server.start()
        self.starts.append(self.server.started_in)
        self.settle(what)
        older = self.random.sample(sorted(before), min(SAMPLE, len(before)))
        self.compare(what, [*older, *(set(self.known.versions) - before)])
        if not number % 2:
            self.verify(what)

    def load(self):
        """Clients at work, and what they complain of."""
        problems = []
        workers = [
            Worker(self.known, self.server.fhir, self.token, self.people, self.random.random(), problems)
            for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        return workers, problems

    def finish(self, what, workers, problems):
        """Waits until every client noticed that the server is gone."""
        for worker in workers:
            worker.join(60)
        self.checks.that(not any(worker.is_alive() for worker in workers), f"{what}: every client noticed")
        self.checks.equal(problems[:3], [], f"{what}: every answer before it was right")
        self.writes += sum(worker.writes for worker in workers)
        self.reads += sum(worker.reads for worker in workers)

    def verify(self, what):
        answer = self.installation.run("--json", "ledger", "verify")
        found = answer.json().get("findings") if answer.code in (0, 74) else repr(answer)
        self.checks.equal((answer.code, found), (0, []), f"{what}: ledger verify finds nothing")

    def settle(self, what):
        """What was never answered is there as a whole or not at all."""
        connection = Connection(self.server.fhir, self.token)
        for identifier, version in list(self.known.unclear.items()):
            reply = connection.read("Observation", identifier)
            good = reply.status == 200 and reply.version in (version - 1, version)
            self.checks.that(good, f"{what}: an unanswered update is whole or absent", repr(reply))
            if good:
                self.known.handed_out(identifier, reply.version)
                if reply.version == version:
                    self.known.acknowledged(reply, identifier)
                else:
                    self.lost += 1
            del self.known.unclear[identifier]
        connection.close()

    def compare(self, what, wanted):
        """Reads versions again and compares their bytes."""
        wrong = []

        def some(part):
            connection = Connection(self.server.fhir, self.token)
            for identifier, version in part:
                reply = connection.read("Observation", identifier, version)
                if reply.status == 200:
                    self.known.handed_out(identifier, version)
                if (reply.status, reply.digest) != (200, self.known.versions[identifier, version]):
                    wrong.append(f"{identifier}/{version}: {reply!r}")
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(some, [wanted[start::WORKERS] for start in range(WORKERS)]))
        what = f"{what}: {len(wanted)} acknowledged versions are there, byte for byte"
        self.checks.equal(wrong[:3], [], what)

    def ending(self):
        what = f"{self.database}, in the end"
        self.compare(what, list(self.known.versions))
        # One more entry, and a checkpoint over it although the last signer was killed.
        connection = Connection(self.server.fhir, self.token)
        identifier = next(iter(self.known.current))
        reply = connection.read("Observation", identifier)
        self.known.handed_out(identifier, reply.version)
        connection.close()
        begun, copies = time.monotonic(), []

        def covered():
            folder = self.folder / f"copy-{len(copies)}"
            copies.append(ledger.export(self.installation, folder))
            return self.missing(copies[-1]) == []

        signed = wait_until(covered, LEASE, every=2)
        waited = time.monotonic() - begun
        self.checks.that(
            signed,
            f"{what}: every answered read is in the ledger, under a checkpoint",
            self.missing(copies[-1])[:3],
        )
        self.checks.that(
            copies[-1].whole, f"{what}: the independent verifier finds it whole", copies[-1].problems
        )
        self.verify(what)
        self.checks.equal(self.server.stop(), 0, f"{what}: the server ends when told to")
        slowest = max(self.starts)
        self.checks.that(
            slowest < SLOWEST_START, f"{what}: starting after a kill is fast", f"{slowest:.1f} s"
        )
        figures = {
            "kills": KILLS,
            "writes acknowledged": self.writes,
            "reads answered under load": self.reads,
            "reads answered in all": sum(self.known.answered.values()),
            "versions compared": len(self.known.versions),
            "unanswered updates not there": self.lost,
            "ledger entries": copies[-1].copy.entries,
            "start after a kill, median s": round(statistics.median(self.starts), 2),
            "slowest s": round(slowest, 2),
            "covered by a checkpoint after s": round(waited, 1),
        }
        say(f"{self.database}: " + ", ".join(f"{name} {figure}" for name, figure in figures.items()))

    def missing(self, copy):
        """Answered reads without their own entry."""
        entries = defaultdict(int)
        for entry in copy.entries():
            if (entry[ledger.ACTION], entry[ledger.OUTCOME]) == ("read", "success"):
                entries[ledger.object_of(entry), entry.get(ledger.VERSION)] += entry[ledger.COUNT]
        return [
            f"{identifier}/{version}: {count} answered, {entries[identifier, version]} recorded"
            for (identifier, version), count in self.known.answered.items()
            if entries[identifier, version] < count
        ]

    def close(self):
        self.server.kill() if self.server.process else None
        if self.postgres:
            self.postgres.stop("immediate")


def on(checks, database, chance):
    with Scratch() as folder:
        killing = None
        try:
            killing = Killing(checks, database, Path(folder), chance)
            killing.run()
        finally:
            if killing:
                killing.close()


def main():
    checks = Checks("kill")
    chance = random.Random(seed())
    for database in DATABASES:
        if database == "postgres" and programs() is None:
            checks.skip("kill on PostgreSQL", "no PostgreSQL is installed")
            continue
        checks.section(f"{KILLS} kills on {database}", on, checks, database, chance)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
