#!/usr/bin/env python3
"""Runs the end-to-end scripts, but not again what passed before with the same program and script.

    e2e.py [--everything]

Four go on at a time, those that took longest first: most wait more than they work. A script with a line
"# alone: reason" runs with nothing beside it, at the end. MIMAMORI_BINARY names the program they test.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import passed
from passed import ROOT, say

TOGETHER = 4


class Script:
    def __init__(self, path, tools, everything):
        self.path = path
        # What measures pages a second time, which were checked already, is left out otherwise.
        self.environment = {**os.environ, "E2E_EVERYTHING": "1"} if everything else None
        self.name = f"e2e/{path.name}"
        self.alone = any(line.startswith("# alone: ") for line in path.read_text(encoding="utf-8").splitlines())
        # A script is its own two files, what all share, and folders of its own.
        own = [path, path.with_suffix(".py"), ROOT / "e2e" / "lib", ROOT / "e2e" / "verify_ledger.py"]
        own += [place for place in sorted((ROOT / "e2e").iterdir()) if place.is_dir() and place.name != "lib"]
        binary = passed.pathlib.Path(os.environ["MIMAMORI_BINARY"])
        self.key = passed.key(self.name, tools, *(place for place in own if place.exists()), binary)

    def run(self):
        """Whether it passed, and how long it took."""
        begun = time.monotonic()
        done = subprocess.run(
            ["bash", str(self.path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=self.environment,
        )
        took = time.monotonic() - begun
        say(f"--- {self.name}\n{done.stdout.rstrip()}")
        if done.returncode == 0:
            passed.keep(self.key, f"{took:.0f}")
            # How long it takes is a good guess for its next content too.
            passed.keep(f"seconds-{self.path.stem}", f"{took:.0f}")
        else:
            say(f"FAILED: {self.name}")
        return done.returncode == 0

    def seconds(self):
        return int(passed.recall(f"seconds-{self.path.stem}") or 60)


def main(everything):
    tools = passed.versions(
        ["chromium", "--version"], ["chromium-headless-shell", "--version"], ["node", "--version"], ["python3", "-V"],
        ["uname", "-r"],
    )
    scripts = [Script(path, tools, everything) for path in sorted((ROOT / "e2e").glob("*.sh"))]
    known = [script for script in scripts if not everything and passed.recall(script.key) is not None]
    for script in known:
        say(f"unchanged since it passed: {script.name}")
    run = sorted((s for s in scripts if s not in known), key=Script.seconds, reverse=True)
    with ThreadPoolExecutor(TOGETHER) as pool:
        results = list(pool.map(Script.run, [script for script in run if not script.alone]))
    results += [script.run() for script in run if script.alone]
    say(f"{sum(results)} of {len(run)} scripts passed, {len(known)} unchanged since they passed before")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main("--everything" in sys.argv[1:]))
