#!/usr/bin/env python3
"""Verifies a copy of a Mimamori ledger, or a receipt, without any of the program's code.

Written from docs/ledger-format.md and the standards it names (RFC 8949, RFC 9162, C2SP tlog-tiles,
tlog-checkpoint, signed-note, tlog-proof). Needs Python 3.11 and the package `cryptography`.

    verify_ledger.py dir DIR --key VKEY [--key VKEY ...]
    verify_ledger.py receipt FILE --key VKEY

Exit status: 0 when everything holds, 1 when something does not, 2 when it was called wrongly.
"""

import argparse
import base64
import hashlib
import re
import sys
import unicodedata
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_ENTRY = 65_535
MAX_NOTE = 256 * 1024
TILE = 256
U64 = 1 << 64


class Refused(Exception):
    """Something is not as it must be; the text says what."""


# --- CBOR: the subset and the one form that entries use (RFC 8949 section 4.2.1) ---------------


def read_cbor(data):
    value, end = _item(data, 0, 3)
    if end != len(data):
        raise Refused("bytes follow the entry")
    return value


def _item(data, at, depth):
    """The value at a place and where it ends; entries are maps of arrays of values, no deeper."""
    if depth == 0:
        raise Refused("deeper than entries are")
    major, number, at = _head(data, at)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        end = at + number
        if end > len(data):
            raise Refused("the entry ends too early")
        content = data[at:end]
        return (content if major == 2 else _utf8(content)), end
    if major == 4:
        items = []
        for _ in range(number):
            value, at = _item(data, at, depth - 1)
            items.append(value)
        return items, at
    if major == 5:
        pairs, last = {}, -1
        for _ in range(number):
            key_major, key, at = _head(data, at)
            if key_major != 0 or key <= last:
                raise Refused("map keys are not ascending numbers")
            pairs[key], at = _item(data, at, depth - 1)
            last = key
        return pairs, at
    raise Refused("a type that entries do not use")


def _head(data, at):
    if at >= len(data):
        raise Refused("the entry ends too early")
    first, at = data[at], at + 1
    major, info = first >> 5, first & 31
    if info < 24:
        return major, info, at
    if info > 27:
        raise Refused("a reserved or indefinite length")
    width = 1 << (info - 24)
    if at + width > len(data):
        raise Refused("the entry ends too early")
    number = int.from_bytes(data[at : at + width], "big")
    if number < (24 if width == 1 else 1 << (4 * width)):
        raise Refused("a number that is not in its shortest form")
    return major, number, at + width


def _utf8(content):
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("a text that is not UTF-8") from None


# --- Entries ------------------------------------------------------------------------------------

_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}\Z")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")


def _uint(value):
    return type(value) is int and value >= 0


def _bytes(length):
    return lambda value: isinstance(value, bytes) and len(value) == length


def _text(pattern):
    return lambda value: isinstance(value, str) and pattern.match(value) is not None


def _plain(value):
    return (
        isinstance(value, str)
        and 1 <= len(value.encode("utf-8")) <= 255
        and not any(unicodedata.category(character) == "Cc" for character in value)
    )


def _list(check, most):
    return lambda value: isinstance(value, list) and 1 <= len(value) <= most and all(map(check, value))


def _tuple(*checks):
    return (
        lambda value: isinstance(value, list)
        and len(value) == len(checks)
        and all(check(item) for check, item in zip(checks, value))
    )


def _nonempty(value):
    return isinstance(value, bytes) and len(value) > 0


_ID, _HASH, _WORD = _bytes(16), _bytes(32), _text(_CODE)

# Key: (always there, what its value must be).
FORMAT_1 = {
    0: (True, lambda value: value == 1),
    1: (True, lambda value: _uint(value) and value < 1 << 32),
    2: (True, _uint),
    3: (True, _ID),
    4: (True, lambda value: type(value) is int and -(1 << 63) <= value < 1 << 63),
    5: (False, _uint),
    6: (True, _ID),
    7: (True, _ID),
    8: (False, _ID),
    9: (False, _ID),
    10: (False, _ID),
    11: (False, _ID),
    12: (False, _ID),
    13: (False, _WORD),
    14: (False, _ID),
    15: (True, _WORD),
    16: (False, _text(_KIND)),
    17: (False, _ID),
    18: (False, _uint),
    19: (True, _WORD),
    20: (True, _uint),
    21: (True, _WORD),
    22: (True, _WORD),
    23: (False, _list(_plain, 64)),
    24: (True, _HASH),
    25: (False, _list(_HASH, 1024)),
    26: (False, _tuple(_ID, _nonempty)),
    27: (False, _tuple(_plain, _uint, _HASH)),
}

FORMATS = {1: FORMAT_1}


def read_entry(data):
    """The entry's map, after every rule of its format was checked."""
    if len(data) > MAX_ENTRY:
        raise Refused("the entry is too long")
    entry = read_cbor(data)
    if not isinstance(entry, dict) or type(entry.get(0)) is not int:
        raise Refused("not an entry")
    fields = FORMATS.get(entry[0])
    if fields is None:
        raise Refused(f"format {entry[0]} is not known")
    for key in entry:
        if key not in fields:
            raise Refused(f"key {key} is not known")
    for key, (always, check) in fields.items():
        if key in entry:
            if not check(entry[key]):
                raise Refused(f"the value of key {key} is not allowed")
        elif always:
            raise Refused(f"key {key} is missing")
    if 16 not in entry and (17 in entry or 18 in entry):
        raise Refused("an object or version without its kind")
    if (27 in entry) != (entry[1] > 0 and entry[2] == 0):
        raise Refused("the previous log is named where it must not be, or not where it must")
    return entry


# --- The tree (RFC 9162 section 2.1) ------------------------------------------------------------


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


EMPTY_ROOT = sha256(b"")


class Tree:
    """A growing tree: the roots of its perfect subtrees, and the hashes of its tiles."""

    def __init__(self):
        self.size = 0
        self.peaks = []
        self.levels = {}

    def add(self, leaf):
        self.levels.setdefault(0, []).append(leaf)
        self.peaks.append(leaf)
        self.size += 1
        height, rest = 0, self.size
        while rest % 2 == 0:
            right, left = self.peaks.pop(), self.peaks.pop()
            self.peaks.append(node_hash(left, right))
            height, rest = height + 1, rest // 2
            if height % 8 == 0:
                self.levels.setdefault(height // 8, []).append(self.peaks[-1])

    def root(self):
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node_hash(left, root)
        return root

    def frontier(self):
        return b"\x01" + self.size.to_bytes(8, "big") + b"".join(self.peaks)


def verify_inclusion(leaf, index, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        raise Refused("the tree has no such entry")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise Refused("the proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or r != root:
        raise Refused("the proof leads to another root")


def verify_consistency(first, first_root, second, second_root, proof):
    """RFC 9162 section 2.1.4.2."""
    if first > second:
        raise Refused("the earlier tree is the larger one")
    if first == second or first == 0:
        expected = second_root if first == second else EMPTY_ROOT
        if proof or first_root != expected:
            raise Refused("the trees differ")
        return
    path = ([first_root] if first & (first - 1) == 0 else []) + list(proof)
    if not path:
        raise Refused("the proof is too short")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise Refused("the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or fr != first_root or sr != second_root:
        raise Refused("the trees differ")


# --- Keys, notes, checkpoints, receipts ---------------------------------------------------------


def unbase64(text, length=None):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Refused("not base64") from None
    if base64.b64encode(data).decode() != text or (length is not None and len(data) != length):
        raise Refused("not base64 of the expected form")
    return data


def number(text):
    if not re.fullmatch(r"0|[1-9][0-9]{0,19}", text, re.ASCII) or int(text) >= U64:
        raise Refused("not a number in its one form")
    return int(text)


def _is_name(name):
    return name != "" and not any(
        character.isspace() or character == "+" or unicodedata.category(character) == "Cc"
        for character in name
    )


class Key:
    """A public key under a name."""

    def __init__(self, name, public):
        self.name, self.public = name, public
        self.id = sha256(name.encode("utf-8") + b"\n\x01" + public)[:4]

    @classmethod
    def parse(cls, text):
        parts = text.split("+", 2)
        if len(parts) != 3 or not _is_name(parts[0]):
            raise Refused("not a verifier key")
        data = unbase64(parts[2], 33)
        key = cls(parts[0], data[1:])
        if data[0] != 1 or key.id.hex() != parts[1]:
            raise Refused("not a verifier key for Ed25519, or its hash is wrong")
        return key

    def for_origin(self, origin):
        """This key as it signs that origin: itself, or renamed when the origin is one of its epochs."""
        if self.name == origin:
            return self
        if re.fullmatch(re.escape(self.name) + r"/(0|[1-9][0-9]*)", origin, re.ASCII):
            return Key(origin, self.public)
        return None


class Checkpoint:
    def __init__(self, note):
        if len(note.encode("utf-8")) > MAX_NOTE:
            raise Refused("the checkpoint is too long")
        if any(character < " " and character != "\n" for character in note):
            raise Refused("the checkpoint has control characters")
        text, parted, signatures = note.rpartition("\n\n")
        if not parted or not signatures.endswith("\n"):
            raise Refused("not a signed note")
        self.text = text + "\n"
        self.signatures = [self._signature(line) for line in signatures[:-1].split("\n")]
        lines = text.split("\n")
        if len(lines) != 3 or not lines[0]:
            raise Refused("not a checkpoint")
        self.origin, self.size, self.root = lines[0], number(lines[1]), unbase64(lines[2], 32)

    @staticmethod
    def _signature(line):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not _is_name(parts[1]):
            raise Refused("not a signature line")
        data = unbase64(parts[2])
        if len(data) < 5:
            raise Refused("a signature line without a signature")
        return parts[1], data[:4], data[4:]

    def epoch(self):
        name, slash, epoch = self.origin.rpartition("/")
        if not name or not slash:
            raise Refused("the origin does not name an epoch")
        return number(epoch)

    def verify(self, keys):
        """Passes when one of the keys is this log's and signed it rightly."""
        reason = f"no key is known for {self.origin}"
        for key in filter(None, (key.for_origin(self.origin) for key in keys)):
            ours = [s for name, key_id, s in self.signatures if (name, key_id) == (key.name, key.id)]
            try:
                for signature in ours:
                    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, self.text.encode("utf-8"))
            except (InvalidSignature, ValueError):
                reason = "a signature of the checkpoint does not fit"
                continue
            if ours:
                return
            reason = "the checkpoint is not signed by this key"
        raise Refused(reason)


def read_text(path):
    return _utf8(path.read_bytes())


def verify_receipt(text, keys):
    """The entry that a receipt proves."""
    head, parted, note = text.partition("\n\n")
    lines = head.split("\n")
    if not parted or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Refused("not a receipt")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Refused("not a receipt that carries its entry")
    data, index = unbase64(lines[1][6:]), number(lines[2][6:])
    proof = [unbase64(line, 32) for line in lines[3:]]
    checkpoint = Checkpoint(note)
    checkpoint.verify(keys)
    verify_inclusion(leaf_hash(data), index, checkpoint.size, proof, checkpoint.root)
    entry = read_entry(data)
    if (entry[1], entry[2]) != (checkpoint.epoch(), index):
        raise Refused("the entry names another place in the ledger")
    return entry


# --- Copies -------------------------------------------------------------------------------------


def tile_path(level, index, width):
    groups = f"{index % 1000:03}"
    index //= 1000
    while index:
        groups = f"x{index % 1000:03}/{groups}"
        index //= 1000
    return f"tile/{level}/{groups}" + (f".p/{width}" if width < TILE else "")


def split_bundle(data):
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise Refused("the bundle ends within an entry")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def split_checkpoints(text):
    """The notes of the file `checkpoints`: each is text, empty line, signatures; an empty line between."""
    parts = text.split("\n\n")
    if len(parts) % 2:
        raise Refused("the file of earlier checkpoints is not whole")
    notes = []
    for place in range(0, len(parts), 2):
        ended = parts[place + 1] if place + 2 == len(parts) else parts[place + 1] + "\n"
        notes.append(parts[place] + "\n\n" + ended)
    return notes


class Copy:
    """Verifies a folder; findings collect in `problems` and `notices`."""

    def __init__(self, folder, keys, most=100):
        self.folder, self.keys, self.most = Path(folder), keys, most
        self.problems, self.notices, self.entries = [], [], 0

    def verify(self):
        epochs = []
        for path in self.folder.iterdir():
            match = re.fullmatch(r"epoch-(0|[1-9][0-9]*)", path.name, re.ASCII)
            if match:
                epochs.append(int(match[1]))
        epochs.sort()
        if epochs != list(range(len(epochs))) or not epochs:
            self.problem(f"epochs from 0 without a gap are expected, found {epochs}")
        previous, recorded = None, None
        for epoch in epochs:
            try:
                previous, recorded = self.epoch(epoch, previous, recorded)
            except (Refused, OSError) as error:
                self.problem(f"epoch {epoch}: {error}")
                previous = None
        return not self.problems

    def problem(self, text):
        if len(self.problems) < self.most:
            self.problems.append(text)

    def epoch(self, epoch, previous, recorded):
        """Verifies an epoch; `previous` is the checkpoint of the one before and a list of its roots."""
        prefix = self.folder / f"epoch-{epoch}"
        checkpoint = self.checkpoint(read_text(prefix / "checkpoint"), epoch)
        wanted = {checkpoint.size: [checkpoint.root]}
        earlier = prefix / "checkpoints"
        last_size = 0
        for note in split_checkpoints(read_text(earlier)) if earlier.exists() else []:
            known = self.checkpoint(note, epoch)
            if not last_size <= known.size <= checkpoint.size:
                self.problem(f"epoch {epoch}: a checkpoint of size {known.size} is out of order")
            last_size = known.size
            wanted.setdefault(known.size, []).append(known.root)
        wanted.update(self.named_by_next(epoch, checkpoint, wanted))
        tree = Tree()
        self.compare(epoch, tree, wanted)
        for index in range((checkpoint.size + TILE - 1) // TILE):
            width = min(TILE, checkpoint.size - index * TILE)
            bundle = self.either(prefix, "entries", index, width)
            entries = split_bundle(bundle)
            if len(entries) < width:
                raise Refused(f"bundle {index} has {len(entries)} entries instead of {width}")
            for data in entries[:width]:
                recorded = self.entry(data, epoch, tree.size, recorded)
                tree.add(leaf_hash(data))
                self.compare(epoch, tree, wanted)
        self.tiles(prefix, epoch, tree)
        self.entries += tree.size
        return checkpoint, recorded

    def checkpoint(self, note, epoch):
        checkpoint = Checkpoint(note)
        checkpoint.verify(self.keys)
        if checkpoint.epoch() != epoch:
            raise Refused(f"a checkpoint of {checkpoint.origin} does not belong here")
        return checkpoint

    def named_by_next(self, epoch, checkpoint, wanted):
        """What the first entry of the next epoch says of this one."""
        following = self.folder / f"epoch-{epoch + 1}"
        if not following.exists():
            return {}
        try:
            size = Checkpoint(read_text(following / "checkpoint")).size
            data = split_bundle(self.either(following, "entries", 0, min(TILE, size)))[0]
            origin, size, root = read_entry(data)[27]
        except (Refused, OSError, KeyError, IndexError):
            return {}  # found again, and told, when that epoch is verified
        if origin != checkpoint.origin:
            self.problem(f"epoch {epoch + 1} names {origin} as the log before it")
            return {}
        if size > checkpoint.size:
            self.notices.append(
                f"epoch {epoch + 1} names {size} entries of epoch {epoch}, {checkpoint.size} are here: "
                "an older database was restored; somebody must be able to name that restore"
            )
            return {}
        return {size: wanted.get(size, []) + [root]}

    def entry(self, data, epoch, sequence, recorded):
        try:
            entry = read_entry(data)
        except Refused as error:
            self.problem(f"epoch {epoch}, entry {sequence}: {error}")
            return recorded
        if (entry[1], entry[2]) != (epoch, sequence):
            self.problem(f"epoch {epoch}, entry {sequence}: says it is entry {entry[2]} of epoch {entry[1]}")
        if recorded is not None and entry[4] < recorded:
            self.problem(f"epoch {epoch}, entry {sequence}: recorded before the entry before it")
            return recorded
        return entry[4]

    def compare(self, epoch, tree, wanted):
        if any(root != tree.root() for root in wanted.get(tree.size, [])):
            self.problem(f"epoch {epoch}: the first {tree.size} entries do not have the signed root")

    def tiles(self, prefix, epoch, tree):
        for level, hashes in tree.levels.items():
            for first in range(0, len(hashes), TILE):
                expected = hashes[first : first + TILE]
                stored = self.either(prefix, level, first // TILE, len(expected))
                if len(stored) % 32 or stored[: 32 * len(expected)] != b"".join(expected):
                    self.problem(f"epoch {epoch}: {tile_path(level, first // TILE, len(expected))} differs")

    @staticmethod
    def either(prefix, level, index, width):
        """A partial file, or the full one that may stand in for it."""
        path = prefix / tile_path(level, index, width)
        if width < TILE and not path.exists():
            path = prefix / tile_path(level, index, TILE)
        return path.read_bytes()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("dir", "a folder with epoch-0, epoch-1, ..."), ("receipt", "a .tlog-proof file")):
        command = commands.add_parser(name, help=what)
        command.add_argument("path", help=what)
        command.add_argument("--key", action="append", required=True, help="name+hash+base64")
    options = parser.parse_args(arguments)
    try:
        keys = [Key.parse(key) for key in options.key]
        if options.command == "receipt":
            entry = verify_receipt(read_text(Path(options.path)), keys)
            print(f"proven: epoch {entry[1]}, entry {entry[2]}, {entry[15]}, {entry[19]}")
            return 0
        copy = Copy(options.path, keys)
        whole = copy.verify()
    except (Refused, OSError) as error:
        print(f"refused: {error}")
        return 1
    for text in copy.problems:
        print(f"found: {text}")
    for text in copy.notices:
        print(f"notice: {text}")
    print(f"{copy.entries} entries, " + ("whole" if whole else "NOT whole"))
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
