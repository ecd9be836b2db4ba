"""Guesses passwords of many accounts, from one address and from many: failures are counted whatever the
address, other people sign in meanwhile, owners are not locked out of where they work, and memory stays
flat. MIMAMORI_GUESSES guesses each way, over MIMAMORI_ACCOUNTS accounts."""

import itertools
import os
import queue
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from lib.checks import Checks, say
from lib.fhir import GONE, Browser
from lib.program import PASSWORD, Installation, Scratch

ACCOUNTS = int(os.environ.get("MIMAMORI_ACCOUNTS") or 12)
GUESSES = int(os.environ.get("MIMAMORI_GUESSES") or 1_200)
# From one address names are guessed that nobody has, too: each is looked at twice at least before it waits,
# so that the address itself is locked however fast the machine is.
NAMES = max(60, ACCOUNTS)
THREADS = 8
# The base pack: failures in a row after which tries are refused; of a place, for names unknown there, ten
# times as many.
LOCK_AFTER, PLACE_LOCK_AFTER = 10, 100
DESK, HOME, ATTACKER = "127.0.0.21", "127.0.0.22", "127.0.0.66"
MEGABYTE = 1 << 20
# What a thread that checks passwords keeps for good (Argon2: 19 MiB), and the counters' pages.
MOST_GROWTH = 64 * MEGABYTE


def login(number):
    return f"shokuin{number:03}"


def guess(server, tries, names, source_of, statuses, stop):
    """One attacker: a new connection for each guess, as from another machine."""
    while not stop.is_set():
        try:
            number = tries.get_nowait()
        except queue.Empty:
            return
        browser = Browser(server.staff, source=source_of(number))
        try:
            statuses[browser.sign_in(login(number % names), f"wrong-{number}").status] += 1
        except GONE:
            statuses["gone"] += 1
        finally:
            browser.close()


def flood(server, names, source_of, meanwhile):
    """All guesses from somewhere; what was answered how often, and what `meanwhile` found."""
    tries, stop, counts = queue.Queue(), threading.Event(), [Counter() for _ in range(THREADS)]
    for number in range(GUESSES):
        tries.put(number)
    with ThreadPoolExecutor(THREADS) as pool:
        work = [pool.submit(guess, server, tries, names, source_of, counts[n], stop) for n in range(THREADS)]
        found = []
        try:
            while not all(done.done() for done in work):
                found.append(meanwhile())
                time.sleep(0.5)
        finally:
            stop.set()
        for done in work:
            done.result()
    return sum(counts, Counter()), found


def enters(server, number, source):
    """What signing in rightly came to, `in` or the status of a refusal, and how long it took."""
    browser, begun = Browser(server.staff, source=source), time.monotonic()
    try:
        reply = browser.sign_in(login(number), PASSWORD)
        # Whoever is told of failed tries gets a page first.
        done = "in" if reply.status in (200, 303) and "session=" in browser.cookie else reply.status
        return done, time.monotonic() - begun
    finally:
        browser.close()


def right_after_guesses(server, number):
    """What the right password comes to from an address of its own, once a guess was refused unlooked at."""
    for guess_number in range(LOCK_AFTER + 1):
        browser = Browser(server.staff, source=f"127.9.{number}.{guess_number + 1}")
        try:
            if browser.sign_in(login(number), f"wrong-again-{guess_number}").status == 429:
                break
        finally:
            browser.close()
    return enters(server, number, "127.0.0.23")[0]


def from_one(checks, server):
    statuses, found = flood(server, NAMES, lambda _: ATTACKER, lambda: enters(server, 0, DESK))
    say(f"   from one address: {dict(statuses)}")
    checks.equal(sum(statuses.values()), GUESSES, "one address: every guess was answered")
    checks.that(set(statuses) <= {401, 429, 503}, "one address: all were refused", dict(statuses))
    checks.that(0 < statuses[401] <= PLACE_LOCK_AFTER, "one address: few guesses were looked at", statuses[401])
    checks.that(all(done == "in" for done, _ in found), "one address: somebody else signs in", found)
    say(f"   signing in meanwhile took at most {max(took for _, took in found):.1f} s")
    refused = enters(server, 1, ATTACKER)[0]
    checks.equal(refused, 429, "one address: it is locked for names unknown there, also with the right password")


def from_many(checks, server):
    addresses = itertools.product(range(1, 201), range(1, 251))
    sources = [f"127.7.{a}.{b}" for a, b in itertools.islice(addresses, GUESSES)]
    statuses, found = flood(server, ACCOUNTS, lambda number: sources[number], lambda: enters(server, 0, DESK))
    say(f"   from many addresses: {dict(statuses)}")
    checks.equal(sum(statuses.values()), GUESSES, "many addresses: every guess was answered")
    checks.that(set(statuses) <= {401, 429, 503}, "many addresses: all were refused", dict(statuses))
    checks.that(
        0 < statuses[401] <= LOCK_AFTER * ACCOUNTS,
        "many addresses: no account was tried more often than the rules allow",
        statuses[401],
    )
    checks.that(all(done == "in" for done, _ in found), "many addresses: the owner signs in", found)
    # The wait after few guesses is short, and a fast machine's flood may end before it grew: so a few more.
    locked = [right_after_guesses(server, number) for number in range(4, 8)]
    checks.that(429 in locked, "many addresses: elsewhere names are locked, also for the right password", locked)
    checks.equal(enters(server, 1, HOME)[0], "in", "many addresses: where its owner was before it is not")


def main():
    checks = Checks("brute_force")
    with Scratch() as folder:
        installation = Installation(folder / "home").init()
        institution = installation.institution()
        with ThreadPoolExecutor(2) as pool:
            more = ["--occupation", "nurse", "--institution", institution]
            list(pool.map(lambda n: installation.staff(login(n), f"職員 {n}", *more), range(ACCOUNTS)))
        with installation.server() as server:
            for number, source in ((0, DESK), (1, HOME)):
                checks.equal(enters(server, number, source)[0], "in", f"{login(number)} signs in as usual")
            # A wrong one, so that what each checking of a password needs is there already.
            Browser(server.staff).sign_in(login(3), "wrong")
            before = server.memory()
            checks.section("from one address", from_one, checks, server)
            checks.section("from many addresses", from_many, checks, server)
            growth = (server.memory() - before) / MEGABYTE
            say(f"   memory grew by {growth:.1f} MiB")
            checks.that(growth * MEGABYTE <= MOST_GROWTH, "memory stays flat", f"{growth:.1f} MiB")
            server.stop()
        checks.equal(installation.run("ledger", "verify").code, 0, "the ledger is whole")
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
