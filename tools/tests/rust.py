#!/usr/bin/env python3
"""Runs the Rust tests, but not again what passed before with the same content.

    rust.py LOG [--everything]

A test program is known by its bytes and by the files that its tests read while they run (READS). LOG gets
the lines of every test, those remembered too.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import passed
from passed import ROOT, TARGET, say

# What the tests of a crate read while they run, beside what is compiled into them. A crate whose sources
# ask where the repository is and that is not named here is run each time.
READS = {
    "mimamori-app": ["crates/app/src"],
    "mimamori-ledger": ["e2e/ledger_vectors"],
    "mimamori-policy": ["packs", "docs/how-to", "crates/policy/tests"],
    "mimamori-web": ["crates/*/src", "crates/web/locales", "crates/web/templates"],
    "mimamori": ["packs", "crates/*/Cargo.toml", "Cargo.toml", "Cargo.lock"],
}

# Where the databases of the tests lie, when there is so much room (bytes): the tests of `app` and of the
# cities take a quarter less there. What only a disk can show (written before it is answered, full, failing,
# gone) the end-to-end scripts ask of the disk.
MEMORY = pathlib.Path("/dev/shm")
ROOM = 4 << 30

# Where a block of a documentation comment begins or ends, and of what it says it is.
FENCE = re.compile(r"^\s*//[/!] ```(.*)$", re.M)
LIBTEST = re.compile(r"^test \S+( - should panic)? \.\.\. ok\s*$")


class Program:
    """One test program: its package, its name, and where it is."""

    def __init__(self, message):
        self.folder = pathlib.Path(message["manifest_path"]).parent
        manifest = (self.folder / "Cargo.toml").read_text(encoding="utf-8")
        self.package = re.search(r'^name = "([^"]+)"', manifest, re.M).group(1)
        kind, target = message["target"]["kind"][0], message["target"]["name"]
        ending = {"lib": "", "test": f"::{target}"}.get(kind, f"::{kind}/{target}")
        self.name = self.package + ending
        self.path = pathlib.Path(message["executable"])

    def key(self, tools):
        sources = [*self.folder.glob("src/**/*.rs"), *self.folder.glob("tests/**/*.rs")]
        asks = any("CARGO_MANIFEST_DIR" in path.read_text(encoding="utf-8") for path in sources)
        if asks and self.package not in READS:
            return None
        read = [path for place in READS.get(self.package, []) for path in sorted(ROOT.glob(place))]
        started = TARGET / "debug" / "mimamori"
        if self.package == "mimamori" and started.is_file():
            read.append(started)
        return passed.key(self.name, str(self.folder), tools, self.path, *read)

    def tests(self):
        command = [self.path, "--list", "--format", "terse"]
        listed = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return sum(line.endswith(": test") for line in listed.stdout.splitlines())


def built():
    command = ["cargo", "test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return [Program(m) for m in messages if m.get("executable") and m["profile"]["test"]]


def temporary_folder():
    """Where the tests put what they make, gone with its end: in memory, unless somebody chose another place."""
    fits = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    place = MEMORY if fits and "TMPDIR" not in os.environ else None
    # The tests' database server removes its own folder after them; both at once is no failure.
    return tempfile.TemporaryDirectory(prefix="mimamori-tests-", dir=place, ignore_cleanup_errors=True)


def run(program, environment, log):
    """Runs one program as `cargo test` does; its exit status and the lines of what passed.

    Its tests share one database server and the rules they load: starting each test by itself costs more
    than most of them take.
    """
    say(f"     Running {program.name}")
    lines = []
    with subprocess.Popen(
        [program.path], cwd=program.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", env=environment,
    ) as running:
        for line in running.stdout:
            sys.stdout.write(line)
            log.write(line)
            if LIBTEST.match(line):
                lines.append(line)
    return running.returncode, lines


def examples():
    """The folders that the examples in documentation depend on: of crates that have some, and of those below."""
    crates = {f"mimamori-{path.name}": path for path in (ROOT / "crates").iterdir()}
    crates["mimamori"] = crates.pop("mimamori-mimamori")

    def has_some(folder):
        texts = (path.read_text(encoding="utf-8") for path in folder.glob("src/**/*.rs"))
        return any(kind.strip() != "text" for text in texts for kind in FENCE.findall(text)[::2])

    found, ahead = set(), [name for name, folder in crates.items() if has_some(folder)]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            manifest = (crates[name] / "Cargo.toml").read_text(encoding="utf-8")
            ahead += re.findall(r"^(mimamori-[a-z-]+)\.workspace", manifest, re.M)
    return [crates[name] for name in sorted(found)]


def run_examples(tools, everything):
    key = passed.key("examples", tools, ROOT / "Cargo.toml", ROOT / "Cargo.lock", *examples())
    if not everything and passed.recall(key) is not None:
        say("unchanged since they passed: the examples in documentation")
        return 0
    ended = subprocess.run(["cargo", "test", "--workspace", "--locked", "--doc", "-q"], cwd=ROOT).returncode
    if ended == 0:
        passed.keep(key, "")
    return ended


def main(log, everything):
    programs = built()
    tools = passed.versions(["rustc", "-V"], ["node", "--version"], ["openssl", "version"], ["uname", "-r"])
    keys = {program.name: program.key(tools) for program in programs}
    known = {}
    for program in programs:
        printed = None if everything or keys[program.name] is None else passed.recall(keys[program.name])
        if printed is not None:
            known[program.name] = printed
            log.write(printed)
            say(f"unchanged since its {len(printed.splitlines())} tests passed: {program.name}")
    # Many tests wait more than they compute.
    os.environ.setdefault("RUST_TEST_THREADS", str(2 * (os.cpu_count() or 1)))
    failed, ran = 0, 0
    with temporary_folder() as folder:
        # PostgreSQL never runs as root: its user has to come through.
        os.chmod(folder, 0o711)
        environment = {**os.environ, "TMPDIR": folder}
        for program in programs:
            if program.name in known:
                continue
            ended, lines = run(program, environment, log)
            failed, ran = failed or ended, ran + len(lines)
            if ended == 0 and keys[program.name] is not None and len(lines) == program.tests():
                passed.keep(keys[program.name], "".join(lines))
    count = sum(len(printed.splitlines()) for printed in known.values())
    say(f"{ran} tests passed now, {count} of {len(known)} unchanged programs before{'; some FAILED' if failed else ''}")
    return failed or run_examples(tools, everything)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # Seen as it happens, also through a pipe.
    sys.stdout.reconfigure(line_buffering=True)
    with pathlib.Path(sys.argv[1]).open("w", encoding="utf-8") as file:
        sys.exit(main(file, "--everything" in sys.argv[2:]))
