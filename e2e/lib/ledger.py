"""Reading an exported copy of the ledger with the independent verifier's code."""

import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import verify_ledger  # noqa: E402 - stands beside this package, not in it


class Ledger:
    """A copy that was verified without any of the program's code."""

    def __init__(self, folder, key):
        self.folder = Path(folder)
        self.copy = verify_ledger.Copy(self.folder, [verify_ledger.Key.parse(key)])
        self.whole = self.copy.verify()

    @property
    def problems(self):
        return self.copy.problems

    def entries(self):
        """Every entry's map, in order."""
        tile = verify_ledger.TILE
        for epoch in range(len(list(self.folder.glob("epoch-*")))):
            prefix = self.folder / f"epoch-{epoch}"
            size = verify_ledger.Checkpoint(verify_ledger.read_text(prefix / "checkpoint")).size
            for index in range((size + tile - 1) // tile):
                width = min(tile, size - index * tile)
                bundle = self.copy.either(prefix, "entries", index, width)
                for data in verify_ledger.split_bundle(bundle)[:width]:
                    yield verify_ledger.read_entry(data)


# Places in an entry (docs/ledger-format.md).
SUBJECT, ACTION, KIND, OBJECT, VERSION, OUTCOME, COUNT = 14, 15, 16, 17, 18, 19, 20


def object_of(entry):
    return str(uuid.UUID(bytes=entry[OBJECT])) if OBJECT in entry else None


def export(installation, folder):
    """Exports and reads a copy."""
    told = installation.must("--json", "ledger", "export", str(folder)).json()
    return Ledger(folder, told["key"])
