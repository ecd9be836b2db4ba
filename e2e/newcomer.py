"""A new user follows the README, command by command, in an empty folder; then a program of theirs speaks
FHIR, and what was exported is checked with tools that are not ours."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

from lib import samples
from lib.checks import Checks, is_root, say
from lib.program import PASSWORD, ROOT, Scratch, Server, binary, clean_environment

READMES = ("README.md", "README.ja.md")
# Commands that ask for a password; a script sends it.
ASK = (["user", "add"], ["ledger", "review"])
# What is said of an entry that no checkpoint covers yet, and the seconds within which one does.
UNSIGNED, SIGNED_WITHIN = b"there is no signed entry of this number", 60


def commands(readme):
    """The command lines of a README, in order, comments left out."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        for line in block.splitlines():
            if line.startswith(("mimamori ", "curl ")):
                yield line.split(" #")[0].strip()


class Newcomer:
    """Somebody in a fresh folder, with the program on the path."""

    def __init__(self, checks, readme, folder):
        self.checks, self.readme, self.folder = checks, readme, folder
        (folder / "bin").mkdir()
        os.symlink(binary(), folder / "bin" / "mimamori")
        self.home = folder / "mimamori"
        self.log = folder / "serve.log"
        self.environment = clean_environment(
            PATH=f"{folder / 'bin'}:{os.environ['PATH']}", MIMAMORI_HOME=str(self.home)
        )
        self.known = {}
        self.server = None

    def run(self, words, text=""):
        return subprocess.run(
            words,
            input=text.encode(),
            capture_output=True,
            cwd=self.folder,
            env=self.environment,
            timeout=180,
            check=False,
        )

    def follow(self, line):
        """Types one line, with what earlier lines printed in place of ID, KEY and TOKEN."""
        if line.startswith("curl "):
            self.call(line)
            return
        words = [self.known.get(word, word) for word in shlex.split(line)]
        if words[1:] == ["serve"]:
            self.serve()
            return
        asked = any(words[1:3] == ask for ask in ASK)
        done = self.run([*words, "--password-stdin"] if asked else words, f"{PASSWORD}\n" if asked else "")
        # Who types is slower than the next checkpoint; a script may be faster.
        deadline = time.monotonic() + SIGNED_WITHIN
        while words[1:3] == ["ledger", "prove"] and UNSIGNED in done.stderr and time.monotonic() < deadline:
            time.sleep(0.5)
            done = self.run(words)
        out, err = done.stdout.decode(), done.stderr.decode()
        where = f"{self.readme}: {line}"
        if words[1:] == ["doctor"]:
            # A small machine may be short of disk; nothing else is wrong with a new installation.
            wrong = [
                told for told in out.splitlines() if told.startswith("PROBLEM") and "disk space" not in told
            ]
            self.checks.equal((done.returncode in (0, 1), wrong), (True, []), where)
        else:
            self.checks.equal(done.returncode, 0, f"{where}: {out[-400:]} {err[-400:]}")
        self.checks.that(out.strip(), f"{where}: says something")
        self.remember(words, out)

    def remember(self, words, out):
        if words[1:3] == ["institution", "add"]:
            self.known["ID"] = out.strip()
        if words[1:3] == ["institution", "list"]:
            self.checks.that(self.known["ID"] in out, f"{self.readme}: the list shows the institution", out)
        if words[1:3] == ["ledger", "key"]:
            self.known["KEY"] = out.strip()
        if words[1:3] == ["ledger", "verify"]:
            self.checks.that("whole" in out, f"{self.readme}: {' '.join(words[:4])}: whole", out)
        if words[1:2] == ["import"]:
            self.checks.that("0 problems" in out, f"{self.readme}: everything is imported", out)
        if words[1:3] == ["token", "create"]:
            self.known["TOKEN"] = out.strip()

    def serve(self):
        self.server = Server(self, {"MIMAMORI_HOME": str(self.home)})
        self.server.start()
        self.speak_fhir()

    def call(self, line):
        """A README's curl line, at the port of this server and with the token made before."""
        host, port = self.server.fhir
        line = line.replace("127.0.0.1:8081", f"{host}:{port}").replace("TOKEN", self.known["TOKEN"])
        done = self.run(shlex.split(line))
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = {"not JSON": done.stdout.decode(), "told": done.stderr.decode()}
        self.checks.equal(answer.get("resourceType"), "Patient", f"{self.readme}: {line[:60]}: {answer}")
        self.checks.that(answer.get("id"), f"{self.readme}: what curl sent is kept", answer)

    def speak_fhir(self):
        """What a program does once it has a token."""
        institution = self.known["ID"]
        made = self.run(
            [
                "mimamori",
                "token",
                "create",
                "lab",
                "--institution",
                institution,
                "--scope",
                "*.read",
                "--scope",
                "*.write",
            ]
        )
        self.checks.equal(made.returncode, 0, f"{self.readme}: a token is made: {made.stderr.decode()}")
        self.token = made.stdout.decode().strip()
        patient = self.curl("-d", json.dumps(samples.patient()), "/Patient")
        self.checks.equal(
            patient.get("resourceType"), "Patient", f"{self.readme}: curl makes a patient: {patient}"
        )
        seen = self.curl(f"/Patient/{patient.get('id')}")
        self.checks.equal(seen, patient, f"{self.readme}: curl reads it again")
        observation = self.curl("-d", json.dumps(samples.observation(patient.get("id"))), "/Observation")
        self.checks.equal(
            observation.get("resourceType"), "Observation", f"{self.readme}: curl makes a record"
        )
        found = self.curl(f"/Observation?patient={patient.get('id')}")
        self.checks.equal(len(found.get("entry", [])), 1, f"{self.readme}: curl finds it: {found}")

    def curl(self, *words):
        *options, path = words
        host, port = self.server.fhir
        done = self.run(
            ["curl", "-sS", "-m", "60", "-H", f"Authorization: Bearer {self.token}"]
            + ["-H", "Content-Type: application/fhir+json", *options, f"http://{host}:{port}/fhir{path}"]
        )
        return json.loads(done.stdout)

    def independently(self):
        """The copy and the receipt, checked without any of the program's code."""
        verifier = [sys.executable, "-B", str(ROOT / "e2e" / "verify_ledger.py")]
        key = ["--key", self.known["KEY"]]
        done = self.run([*verifier, "dir", "copy", *key])
        self.checks.equal(done.returncode, 0, f"{self.readme}: the copy is whole: {done.stdout.decode()}")
        done = self.run([*verifier, "receipt", "receipt.txt", *key])
        self.checks.equal(done.returncode, 0, f"{self.readme}: the receipt is proven: {done.stdout.decode()}")
        # One changed byte is found, by our tool and by the other.
        bundle = max(
            (self.folder / "copy" / "epoch-0" / "tile" / "entries").rglob("*"),
            key=lambda path: path.is_file(),
        )
        content = bytearray(bundle.read_bytes())
        content[len(content) // 2] ^= 1
        bundle.write_bytes(content)
        done = self.run([*verifier, "dir", "copy", *key])
        self.checks.equal(
            done.returncode, 1, f"{self.readme}: a changed copy is found: {done.stdout.decode()}"
        )
        done = self.run(["mimamori", "ledger", "verify", "--copy", "copy", *key])
        self.checks.equal(
            done.returncode, 74, f"{self.readme}: and found by our own tool: {done.stdout.decode()}"
        )
        receipt = self.folder / "receipt.txt"
        receipt.write_text(receipt.read_text()[:-6] + "AAAA=\n")
        done = self.run(["mimamori", "ledger", "verify-receipt", "receipt.txt", *key])
        self.checks.equal(
            done.returncode, 74, f"{self.readme}: a changed receipt is found: {done.stdout.decode()}"
        )

    def modes(self):
        """Everything is for this account only."""
        wrong = [str(path) for path in [self.home, *self.home.rglob("*")] if path.stat().st_mode & 0o077]
        self.checks.equal(wrong, [], f"{self.readme}: nobody else may look at the installation's files")


def walk(checks, readme):
    with Scratch() as folder:
        newcomer = Newcomer(checks, readme, folder)
        lines = list(commands(readme))
        checks.that(len(lines) >= 10, f"{readme}: shows commands", len(lines))
        checks.equal(sum(line.startswith("curl ") for line in lines), 1, f"{readme}: shows one FHIR call")
        export = folder / "fhir-export"
        export.mkdir()
        person = samples.patient(3) | {
            "id": "p3",
            "identifier": [{"system": "http://karte.example", "value": "3"}],
        }
        (export / "Patient.ndjson").write_text(json.dumps(person) + "\n", encoding="utf-8")
        (export / "Observation.ndjson").write_text(
            json.dumps(samples.observation("p3")) + "\n", encoding="utf-8"
        )
        try:
            for line in lines:
                newcomer.follow(line)
            newcomer.modes()
            newcomer.independently()
            if newcomer.server:
                checks.equal(newcomer.server.stop(), 0, f"{readme}: serving ends when told to")
        finally:
            if newcomer.server and newcomer.server.process:
                newcomer.server.kill()
        say(f"{readme}: {len(lines)} commands followed")


def same_commands(checks):
    """Both languages show the same commands; names of things may differ."""
    shapes = [[re.sub(r'"[^"]*"', '""', line) for line in commands(readme)] for readme in READMES]
    checks.equal(shapes[0], shapes[1], "both READMEs show the same commands")


def main():
    checks = Checks("newcomer")
    if not shutil.which("curl"):
        checks.that(False, "curl is needed")
        return checks.close()
    say(f"as {'root' if is_root() else 'an ordinary account'}")
    checks.section("commands of both READMEs", same_commands, checks)
    for readme in READMES:
        checks.section(readme, walk, checks, readme)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
