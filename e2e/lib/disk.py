"""A small disk in memory that can be filled and made read-only. Needs root."""

import errno
import os
import subprocess
from pathlib import Path


class SmallDisk:
    """A tmpfs of a few megabytes."""

    def __init__(self, path, megabytes):
        self.path, self.megabytes = Path(path), megabytes
        self._ballast = self.path / "ballast"

    def __enter__(self):
        self.path.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=755", "tmpfs", str(self.path))
        return self

    def __exit__(self, *_):
        done = subprocess.run(["umount", str(self.path)], capture_output=True, check=False)
        if done.returncode:
            subprocess.run(["umount", "-l", str(self.path)], check=False)

    @staticmethod
    def _mount(*arguments):
        subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=30)

    def fill(self):
        """Leaves no byte free."""
        with open(self._ballast, "ab", buffering=0) as ballast:
            for piece in (1 << 20, 4096):
                while True:
                    try:
                        ballast.write(bytes(piece))
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        break

    def free(self):
        os.remove(self._ballast)

    def read_only(self, on):
        """Nothing below may be open for writing."""
        self._mount("-o", f"remount,{'ro' if on else 'rw'}", str(self.path))
