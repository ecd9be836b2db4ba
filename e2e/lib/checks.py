"""Counting what was checked, and waiting with a limit."""

import os
import random
import sys
import threading
import time
import traceback


class Checks:
    """Counts checks. A check that cannot be made here is named with its reason, never counted as passed."""

    def __init__(self, name):
        self.name, self.passed, self.failures, self.skipped = name, 0, [], []
        self._lock = threading.Lock()
        self._begun = time.monotonic()

    def that(self, holds, what, detail=""):
        """Notes whether something holds; says so at once when it does not."""
        with self._lock:
            if holds:
                self.passed += 1
            else:
                self.failures.append(what)
                say(f"FAILED: {what}" + (f": {short(detail)}" if detail != "" else ""))
        return bool(holds)

    def equal(self, found, wanted, what):
        return self.that(found == wanted, what, f"{short(found)} instead of {short(wanted)}")

    def skip(self, what, reason):
        self.skipped.append(what)
        say(f"SKIPPED: {what}: {reason}")

    def section(self, title, work, *arguments):
        """Runs one part of a test; whatever it breaks on is one failure, and the other parts still run."""
        say(f"-- {title}")
        begun = time.monotonic()
        try:
            return work(*arguments)
        except Exception as error:  # noqa: BLE001 - a test reports whatever went wrong
            traceback.print_exc(limit=6, file=sys.stdout)
            self.that(False, f"{title} ended early", repr(error))
            return None
        finally:
            say(f"   {time.monotonic() - begun:.0f} s")

    def close(self):
        """The closing line and the exit status."""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        took = time.monotonic() - self._begun
        say(f"{self.name}: {self.passed} passed, {len(self.failures)} failed{skipped} in {took:.0f} s")
        return 1 if self.failures or not self.passed else 0


def say(text):
    print(text, flush=True)


def short(value, most=600):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else text[: most // 2] + " ... " + text[-most // 2 :]


def seed():
    """The seed of everything random in a run: MIMAMORI_SEED, or a new one; always printed."""
    chosen = int(os.environ.get("MIMAMORI_SEED") or random.SystemRandom().randrange(1 << 32))
    say(f"seed: MIMAMORI_SEED={chosen}")
    return chosen


def wait_until(condition, seconds, every=0.1):
    """What `condition` gave once it gave something; whatever it gave last when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(every)


def is_root():
    return os.geteuid() == 0
