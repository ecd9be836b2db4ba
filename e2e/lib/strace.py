"""System calls of running processes, by strace: what happened in which order, and faults put in."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

CALLS = "fdatasync,fsync,write,writev,pwrite64,pwritev,sendto,sendmsg,read,readv,recvfrom,recvmsg"
SYNCS = ("fdatasync", "fsync")
WRITES = ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg")
READS = ("read", "readv", "recvfrom", "recvmsg")

_reason = None


def missing():
    """Why nothing can be traced here; empty when it can. Installs strace when it may."""
    global _reason
    if _reason is None:
        _reason = _find_out()
    return _reason


def _find_out():
    if not shutil.which("strace") and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 180, "check": False}
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "strace"]
        if subprocess.run(install, env=environment, **quiet).returncode != 0:
            subprocess.run(["apt-get", "update", "-qq"], env=environment, **quiet)
            subprocess.run(install, env=environment, **quiet)
    if not shutil.which("strace"):
        return "strace is not installed and could not be"
    sleeper = subprocess.Popen(["sleep", "20"])
    try:
        with Trace([sleeper.pid], Path("/dev/null"), ["-e", "trace=none"]):
            return ""
    except RuntimeError as error:
        return f"tracing is not permitted here ({error})"
    finally:
        sleeper.kill()
        sleeper.wait()


class Trace:
    """strace attached to processes and all their threads, until the block ends."""

    def __init__(self, pids, log, options):
        self.pids, self.log, self.options, self.process = pids, Path(log), options, None

    def __enter__(self):
        attach = [part for pid in self.pids for part in ("-p", str(pid))]
        self.process = subprocess.Popen(
            ["strace", "-f", "-ttt", "-yy", "-s", "48", "-o", str(self.log), *self.options, *attach],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 30
        while not all(self._attached(pid) for pid in self.pids):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                told = self.process.stderr.read().decode("utf-8", "replace").strip()
                self.process.wait()
                if " attached" in told and "perm" not in told:
                    return self  # what it watched has ended already
                raise RuntimeError(told or "strace did not attach in time")
            time.sleep(0.02)
        return self

    @staticmethod
    def _attached(pid):
        """Whether every thread of a process is traced."""
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            states = [(thread / "status").read_text() for thread in threads]
        except OSError:
            return False
        return bool(states) and all(re.search(r"^TracerPid:\t[1-9]", state, re.M) for state in states)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self.process.stderr.closed:
            self.process.stderr.close()

    def events(self):
        return parse(self.log.read_text(encoding="utf-8", errors="replace"))


class Event:
    """One system call: `begun` and `ended` are places in the log."""

    def __init__(self, begun, name, arguments):
        self.begun, self.ended, self.name, self.arguments, self.result = begun, None, name, arguments, None

    def finish(self, place, result):
        self.ended, self.result = place, result
        return self

    def of(self, names, *texts):
        return self.name in names and all(text in self.arguments for text in texts)

    def __repr__(self):
        return f"{self.begun}-{self.ended} {self.name}({self.arguments[:120]} = {self.result}"


_LINE = re.compile(r"(\d+)\s+[\d.]+ (.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_RESULT = re.compile(r"\)\s+= (-?\d+|\?)[^=]*$")


def parse(text):
    """The calls of a log, in the order in which they began."""
    events, open_calls = [], {}
    for place, line in enumerate(text.splitlines()):
        match = _LINE.match(line)
        if not match:
            continue
        thread, rest = match.groups()
        resumed = _RESUMED.match(rest)
        if resumed:
            event = open_calls.pop((thread, resumed[1]), None)
            if event is None:
                continue
            event.arguments += resumed[2]
        else:
            name, bracket, arguments = rest.partition("(")
            if not bracket or not name.isidentifier():
                continue
            event = Event(place, name, arguments)
            events.append(event)
            if rest.endswith("<unfinished ...>"):
                open_calls[thread, name] = event
                continue
        result = _RESULT.search(event.arguments)
        if result:
            event.finish(place, None if result[1] == "?" else int(result[1]))
    return events
