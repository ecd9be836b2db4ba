"""Watches the system calls: the log of the database is on the disk before the first byte of an answer."""

import sys

from lib import samples, strace
from lib.checks import Checks, say
from lib.fhir import Connection
from lib.postgres import Postgres, programs
from lib.program import Installation, Scratch

ROUNDS = 3


def requests(connection, person):
    """Name, first words of the request, status, and how to send it."""
    made = connection.create(samples.observation(person))
    state = {"version": 1}

    def update():
        reply = connection.update(samples.observation(person, 37.1), made.id, state["version"])
        state["version"] += 1
        return reply

    observation = f"/fhir/Observation/{made.id}"
    return [
        ("create", "POST /fhir/Observation", 201, lambda: connection.create(samples.observation(person))),
        ("update", f"PUT {observation}"[:40], 200, update),
        ("read", f"GET {observation}"[:40], 200, lambda: connection.read("Observation", made.id)),
        (
            "search",
            "GET /fhir/Observation?patient",
            200,
            lambda: connection.ask("GET", f"/fhir/Observation?patient={person}&_count=3"),
        ),
    ]


def kept_before_answered(events, request, status, log):
    """Whether a completed sync of `log`, with writes of this request before it, precedes the answer."""
    arrival = next((event for event in events if event.of(strace.READS, f'"{request}')), None)
    if arrival is None or arrival.ended is None:
        return f"the request was not seen: {request}"
    answer = next(
        (
            event
            for event in events
            if event.begun > arrival.ended and event.of(strace.WRITES, f'"HTTP/1.1 {status}')
        ),
        None,
    )
    if answer is None:
        return "the answer was not seen"
    between = [event for event in events if arrival.ended < event.begun < answer.begun]
    written = next((event for event in between if event.of(strace.WRITES, log)), None)
    if written is None:
        return f"nothing was written to {log} between request and answer"
    for event in between:
        if event.of(strace.SYNCS, log) and event.result == 0:
            if (written.ended or event.begun) < event.begun and event.ended < answer.begun:
                return ""
    return f"no completed sync of {log} lies between its writing and the answer"


def watch(checks, folder, name, installation, log, pids):
    """Traces one request of each kind, several times."""
    institution = installation.institution()
    with installation.server() as server:
        connection = Connection(server.fhir, installation.token(institution))
        person = connection.create(samples.patient()).id
        kinds = requests(connection, person)
        for what, request, status, send in kinds:
            send()  # statements are prepared, connections are there
            for number in range(ROUNDS):
                trace = strace.Trace([server.pid, *pids()], folder / "trace", ["-e", f"trace={strace.CALLS}"])
                with trace:
                    reply = send()
                events = trace.events()
                checks.equal(reply.status, status, f"{name}: {what} is answered while traced")
                wrong = kept_before_answered(events, request, status, log)
                if not checks.equal(wrong, "", f"{name}: {what}: on the disk before it is answered"):
                    say("\n".join(map(repr, events[-40:])))
                elif number == 0:
                    control(checks, name, what, events, request, status, log)


def control(checks, name, what, events, request, status, log):
    """The check itself must be able to fail: without the syncs it has to."""
    without = [event for event in events if event.name not in strace.SYNCS]
    found = kept_before_answered(without, request, status, log)
    checks.that(found, f"{name}: {what}: a missing sync would be found")


def on_sqlite(checks):
    with Scratch() as folder:
        watch(checks, folder, "sqlite", Installation(folder / "home").init(), "mimamori.db-wal>", list)


def on_postgres(checks):
    with Scratch() as folder, Postgres(folder) as postgres:
        installation = Installation(folder / "home", postgres.url).init()
        watch(checks, folder, "postgres", installation, "/pg_wal/", postgres.processes)


def main():
    checks = Checks("trace")
    reason = strace.missing()
    if reason:
        checks.skip("order of system calls", reason)
        say("trace: 0 passed, 0 failed, 1 skipped")
        return 0
    checks.section("SQLite: the write-ahead log before the answer", on_sqlite, checks)
    if programs() is None:
        checks.skip("order of system calls on PostgreSQL", "no PostgreSQL is installed")
    else:
        checks.section("PostgreSQL: its write-ahead log before the answer", on_postgres, checks)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
