#!/usr/bin/env python3
"""Runs the tests of the independent verifier, but not again what passed before with the same content.

    python.py [--everything]
"""

import subprocess
import sys

import passed
from passed import ROOT, say


def main(everything):
    e2e = ROOT / "e2e"
    read = [*sorted(e2e.glob("test_*.py")), e2e / "verify_ledger.py", e2e / "lib", e2e / "ledger_vectors"]
    key = passed.key("python", passed.versions(["python3", "-VV"]), *read)
    before = None if everything else passed.recall(key)
    if before is not None:
        say(f"unchanged since it passed: {before}")
        return 0
    command = ["python3", "-B", "-m", "unittest", "discover", "-s", "e2e", "-p", "test_*.py"]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    say(done.stderr.rstrip())
    # A run that found nothing to run proves nothing.
    counts = [line for line in done.stderr.splitlines() if line.startswith("Ran ")]
    if done.returncode != 0 or not counts or counts[-1].startswith("Ran 0 "):
        return 1
    passed.keep(key, counts[-1])
    return 0


if __name__ == "__main__":
    sys.exit(main("--everything" in sys.argv[1:]))
