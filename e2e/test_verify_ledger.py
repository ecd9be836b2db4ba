"""Runs the independent verifier over the test vectors and over changed copies of them.

    python3 -m unittest discover -s e2e -p 'test_verify_ledger.py'
"""

import contextlib
import io
import json
import random
import tempfile
import unittest
from pathlib import Path

import verify_ledger as vl

VECTORS = Path(__file__).parent / "ledger_vectors"


def load(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def as_json(value):
    """A value of ours in the notation of the vectors."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    return value


def run(*arguments):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = vl.main(list(arguments))
    return status, printed.getvalue()


class Entries(unittest.TestCase):
    def test_accepted(self):
        cases = load("entries.json")["accepted"]
        self.assertTrue(cases)
        for case in cases:
            with self.subTest(case["name"]):
                data = bytes.fromhex(case["bytes"])
                self.assertEqual(as_json(vl.read_entry(data)), case["map"])
                self.assertEqual(vl.leaf_hash(data).hex(), case["leaf"])

    def test_refused(self):
        cases = load("entries.json")["refused"]
        self.assertTrue(cases)
        for case in cases:
            with self.subTest(case["name"]), self.assertRaises(vl.Refused):
                vl.read_entry(bytes.fromhex(case["bytes"]))

    def test_deep_nesting_is_refused(self):
        for opening in (b"\x81", b"\xa1\x00"):
            with self.assertRaises(vl.Refused):
                vl.read_entry(opening * 30_000)

    def test_cut_anywhere(self):
        for case in load("entries.json")["accepted"]:
            data = bytes.fromhex(case["bytes"])
            for length in range(len(data)):
                with self.assertRaises(vl.Refused):
                    vl.read_entry(data[:length])

    def test_random_bytes_are_refused_and_nothing_else_is_raised(self):
        chance = random.Random(9162)
        good = [bytes.fromhex(case["bytes"]) for case in load("entries.json")["accepted"]]
        for _ in range(3000):
            data = bytearray(chance.choice(good))
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                vl.read_entry(bytes(data))
            except vl.Refused:
                pass


class Trees(unittest.TestCase):
    def setUp(self):
        self.vectors = load("tree.json")
        self.roots = {case["size"]: bytes.fromhex(case["root"]) for case in self.vectors["roots"]}

    @staticmethod
    def leaf(index):
        return vl.leaf_hash(index.to_bytes(8, "big"))

    def test_roots_and_frontiers(self):
        tree = vl.Tree()
        for case in sorted(self.vectors["roots"], key=lambda case: case["size"]):
            while tree.size < case["size"]:
                tree.add(self.leaf(tree.size))
            self.assertEqual(tree.root().hex(), case["root"], case["size"])
            self.assertEqual(tree.frontier().hex(), case["frontier"], case["size"])

    def root(self, size):
        if size in self.roots:
            return self.roots[size]
        tree = vl.Tree()
        for index in range(size):
            tree.add(self.leaf(index))
        return tree.root()

    def test_inclusion(self):
        self.assertTrue(self.vectors["inclusion"])
        for case in self.vectors["inclusion"]:
            index, size = case["index"], case["size"]
            proof = [bytes.fromhex(item) for item in case["proof"]]
            root = self.root(size)
            vl.verify_inclusion(self.leaf(index), index, size, proof, root)
            for wrong in (proof + [b"\0" * 32], proof[:-1] if proof else [b"\0" * 32], proof[::-1] + [root]):
                with self.assertRaises(vl.Refused):
                    vl.verify_inclusion(self.leaf(index), index, size, wrong, root)
            with self.assertRaises(vl.Refused):
                vl.verify_inclusion(self.leaf(index + 1), index, size, proof, root)

    def test_consistency(self):
        self.assertTrue(self.vectors["consistency"])
        for case in self.vectors["consistency"]:
            old, new = case["old"], case["new"]
            proof = [bytes.fromhex(item) for item in case["proof"]]
            roots = self.root(old), self.root(new)
            vl.verify_consistency(old, roots[0], new, roots[1], proof)
            with self.assertRaises(vl.Refused):
                vl.verify_consistency(old, roots[0], new, roots[1], proof + [b"\0" * 32])
            with self.assertRaises(vl.Refused):
                vl.verify_consistency(old, b"\0" * 32, new, roots[1], proof)


class Notes(unittest.TestCase):
    def setUp(self):
        self.vectors = load("notes.json")
        self.key = vl.Key.parse(self.vectors["key"])

    def test_checkpoints(self):
        epoch_0 = vl.Key.parse(self.vectors["key_of_epoch_0"])
        first, witnessed = map(vl.Checkpoint, self.vectors["checkpoints"])
        self.assertEqual(self.key.for_origin(first.origin).id, epoch_0.id)
        first.verify([self.key])
        first.verify([epoch_0])
        witnessed.verify([self.key])
        self.assertEqual((witnessed.epoch(), witnessed.size, witnessed.root), (12, 0, vl.EMPTY_ROOT))
        with self.assertRaises(vl.Refused):
            witnessed.verify([epoch_0])
        with self.assertRaises(vl.Refused):
            first.verify([vl.Key(self.key.name, bytes(32))])

    def test_receipts(self):
        self.assertTrue(self.vectors["receipts"])
        for text in self.vectors["receipts"]:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "entry.tlog-proof"
                path.write_text(text, encoding="utf-8")
                status, printed = run("receipt", str(path), "--key", self.vectors["key"])
                self.assertEqual((status, printed.split(":")[0]), (0, "proven"))

    def test_every_changed_byte_of_a_receipt_is_found(self):
        data = self.vectors["receipts"][1].encode("utf-8")
        chance = random.Random(6962)
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 1 << chance.randrange(8)
            with self.assertRaises(vl.Refused, msg=f"byte {place}"):
                vl.verify_receipt(vl._utf8(bytes(changed)), [self.key])


class Copies(unittest.TestCase):
    def setUp(self):
        vectors = load("copy.json")
        self.key = vectors["key"]
        self.files = {path: bytes.fromhex(content) for path, content in vectors["files"].items()}
        self.kept = tempfile.TemporaryDirectory()
        self.addCleanup(self.kept.cleanup)
        self.folder = Path(self.kept.name)
        for path, content in self.files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(content)

    def whole(self):
        return vl.Copy(self.folder, [vl.Key.parse(self.key)]).verify()

    def with_content(self, path, content):
        (self.folder / path).write_bytes(content)
        try:
            return self.whole()
        finally:
            (self.folder / path).write_bytes(self.files[path])

    def test_the_copy_is_whole_and_names_its_loss(self):
        status, printed = run("dir", str(self.folder), "--key", self.key)
        self.assertEqual(status, 0, printed)
        self.assertIn("265 entries, whole", printed)
        self.assertEqual(printed.count("notice:"), 1)

    def test_one_flipped_bit_anywhere_is_found(self):
        """Every byte of the small files, and bytes all over the large ones, at a random bit each."""
        chance = random.Random(8949)
        for path, content in self.files.items():
            places = range(len(content))
            if len(content) > 150:
                places = sorted({0, 1, len(content) - 1, *chance.sample(places, 60)})
            for place in places:
                changed = bytearray(content)
                changed[place] ^= 1 << chance.randrange(8)
                self.assertFalse(self.with_content(path, bytes(changed)), f"byte {place} of {path}")
        self.assertTrue(self.whole())

    def test_every_cut_lengthened_or_missing_file_is_found(self):
        for path, content in self.files.items():
            self.assertFalse(self.with_content(path, b""), path)
            self.assertFalse(self.with_content(path, content[:-1]), path)
            self.assertFalse(self.with_content(path, content + b"\n"), path)
            (self.folder / path).unlink()
            # Earlier checkpoints need not be kept.
            self.assertEqual(self.whole(), path.endswith("/checkpoints"), path)
            (self.folder / path).write_bytes(content)
        self.assertTrue(self.whole())

    def test_a_missing_epoch_and_a_foreign_key_are_found(self):
        name, _, _ = self.key.split("+", 2)
        self.assertFalse(vl.Copy(self.folder, [vl.Key(name, bytes(32))]).verify())
        (self.folder / "epoch-0").rename(self.folder / "epoch-7")
        self.assertFalse(self.whole())
        self.assertEqual(run("dir", str(self.folder / "nowhere"), "--key", self.key)[0], 1)
        self.assertEqual(run("dir", str(self.folder), "--key", "nonsense")[0], 1)


if __name__ == "__main__":
    unittest.main()
