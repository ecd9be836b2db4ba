"""A throw-away PostgreSQL on a unix socket, with the durability it has by default."""

import glob
import os
import shutil
import subprocess
from pathlib import Path

# PostgreSQL refuses to run as root.
NOBODY = 65534


def programs():
    """The folder of the newest PostgreSQL's programs, or `None`."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    newest = max(found, key=lambda path: float(path.split("/")[4]), default=None)
    return Path(newest).parent if newest else None


def as_nobody():
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


class Postgres:
    """One cluster in a folder; the data outlives its stops and starts."""

    def __init__(self, folder):
        self.folder, self.bin = Path(folder) / "pg", programs()
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, NOBODY, NOBODY)
        self._run("initdb", "-D", self.data, "-U", "app", "--auth=trust", "--no-sync", "--locale=C.UTF-8")

    @property
    def data(self):
        return self.folder / "data"

    @property
    def url(self):
        return f"postgres://app@localhost/app?host={self.folder}"

    def _run(self, program, *arguments, check=True):
        return subprocess.run(
            [*as_nobody(), str(self.bin / program), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            # Not a pipe: the postmaster would inherit it and keep it open.
            stdout=open(self.folder.parent / "pg.log", "ab"),
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=120,
            check=check,
        )

    def start(self):
        options = f"-c listen_addresses= -k {self.folder} -c log_min_messages=fatal"
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-o", options, "start")
        return self

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop", check=False)

    def create(self):
        self._run("createdb", "-h", self.folder, "-U", "app", "app")
        return self

    def query(self, sql):
        """Rows of text."""
        done = subprocess.run(
            [str(self.bin / "psql"), "-h", str(self.folder), "-U", "app", "-d", "app", "-AtXc", sql],
            capture_output=True,
            timeout=60,
            check=True,
            cwd="/",
        )
        return [line.split("|") for line in done.stdout.decode().splitlines()]

    def processes(self):
        """The postmaster and everything it started."""
        master = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        found = [master]
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                try:
                    parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
                except (OSError, IndexError, ValueError):
                    continue
                if parent == master:
                    found.append(int(path.name))
        return found

    def __enter__(self):
        return self.start().create()

    def __exit__(self, *_):
        self.stop("immediate")
