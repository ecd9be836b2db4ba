"""What passed before, by content: kept in the target folder, so that it is not run again unchanged.

A key is made from everything a test could depend on. What failed, or did not run to its end, is never
kept. `./test --everything` neither asks nor trusts any of it.
"""

import hashlib
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
FOLDER = TARGET / "tests-passed"
# More than a few hundred are of no use to anybody.
MOST = 400


def say(text):
    print(text, flush=True)


def key(*parts):
    """A key of words, files, and folders with everything in them."""
    whole = hashlib.sha256()
    for part in parts:
        for path in [None] if isinstance(part, str) else content(part):
            name, data = ("", part.encode()) if path is None else (str(path), path.read_bytes())
            for piece in (name.encode(), data):
                whole.update(len(piece).to_bytes(8, "big"))
                whole.update(piece)
    return whole.hexdigest()


def content(path):
    if path.is_file():
        return [path]
    inside = (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return sorted(p for p in inside if "node_modules" not in p.parts)


def versions(*commands):
    """What these programs call themselves: another version is another test."""
    told = [" ".join(sorted(str(path) for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")))]
    for command in commands:
        try:
            told.append(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)
        except OSError:
            told.append("none")
    return "\n".join(told)


def recall(key):
    """What was printed when this passed; none when it never did."""
    try:
        return (FOLDER / key).read_text(encoding="utf-8")
    except OSError:
        return None


def keep(key, printed):
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = FOLDER / f".{key}.{os.getpid()}"
    new.write_text(printed, encoding="utf-8")
    new.replace(FOLDER / key)
    known = sorted(FOLDER.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in known[MOST:]:
        path.unlink()
