"""The program under test: commands, and the server as a process of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "Ochatabi-kumo-7719-made-up"
LONGEST_COMMAND = 180
LONGEST_START = 60


def binary():
    """The program to test: MIMAMORI_BINARY, or the debug build."""
    target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
    path = Path(os.environ.get("MIMAMORI_BINARY") or Path(target) / "debug" / "mimamori")
    if not path.is_file():
        raise SystemExit(f"{path} is missing: cargo build, or set MIMAMORI_BINARY")
    return str(path)


def clean_environment(**more):
    """The environment without any setting of ours but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIMAMORI_")}
    return kept | more


class Scratch:
    """A folder that goes away at the end, whatever happens."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="mimamori-e2e-"))

    def __enter__(self):
        # PostgreSQL and unprivileged servers run under another account.
        self.path.chmod(0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Answer:
    """How a command ended."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}, {self.out!r}, {self.err!r}"


class Installation:
    """One installation in a folder of its own."""

    def __init__(self, home, database=None, log=None):
        self.home, self.database = Path(home), database
        self.log = log or self.home.parent / f"{self.home.name}.log"

    def run(self, *arguments, text=None, environment=None):
        """Runs a command to its end."""
        done = subprocess.run(
            [binary(), "--home", str(self.home), *arguments],
            input=(text or "").encode(),
            capture_output=True,
            timeout=LONGEST_COMMAND,
            env=clean_environment(**(environment or {})),
            check=False,
        )
        return Answer(done)

    def must(self, *arguments, text=None):
        """Runs a command that has to work."""
        answer = self.run(*arguments, text=text)
        if answer.code != 0:
            raise RuntimeError(f"mimamori {' '.join(arguments)}: {answer!r}")
        return answer

    def init(self):
        more = ["--database", self.database] if self.database else []
        self.must("init", "--name", "試験の町", "--ledger", "test.example", *more)
        return self

    def institution(self, name="ひだまり診療所"):
        return self.must("institution", "add", "--name", name).out.strip()

    def token(self, institution, name="lab"):
        scopes = ["--scope", "*.read", "--scope", "*.write"]
        return self.must("token", "create", name, "--institution", institution, *scopes).out.strip()

    def staff(self, login, name, *more):
        self.must("user", "add", login, "--name", name, "--password-stdin", *more, text=PASSWORD + "\n")

    def server(self, environment=None):
        return Server(self, environment or {})


class Server:
    """`mimamori serve` on free ports of the loopback address."""

    def __init__(self, installation, environment):
        self.installation, self.environment = installation, environment
        self.process, self.staff, self.fhir, self.started_in = None, None, None, None
        self.log = installation.log

    def start(self):
        """Starts and waits until it serves."""
        if self.begin() is None:
            raise RuntimeError(f"did not start: exit {self.process.poll()}: {self.tail()}")
        return self

    def begin(self):
        """Starts; the addresses once it serves, `None` when it ended instead."""
        offset = self.log.stat().st_size if self.log.exists() else 0
        ports = {"MIMAMORI_LISTEN_STAFF": "127.0.0.1:0", "MIMAMORI_LISTEN_FHIR": "127.0.0.1:0"}
        begun = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [binary(), "--home", str(self.installation.home), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(**ports, **self.environment),
                start_new_session=True,
            )
        while time.monotonic() - begun < LONGEST_START:
            with open(self.log, "rb") as log:
                log.seek(offset)
                text = log.read().decode("utf-8", "replace")
            found = re.search(r"serving staff=(\S+) fhir=(\S+)", text)
            if found:
                self.staff, self.fhir = (address_of(part) for part in found.groups())
                self.started_in = time.monotonic() - begun
                return self.staff, self.fhir
            if self.process.poll() is not None:
                return None
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"did not serve within {LONGEST_START} s: {self.tail()}")

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """kill -9, and nothing of it left."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        return self.process.wait(timeout=30)

    def stop(self, seconds=60):
        """Asks it to end; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def ended(self, seconds):
        """Its exit status, once it ended by itself; `None` when it did not."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def memory(self):
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1]) * 1024

    def tail(self, lines=15):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None:
            self.kill()


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)
