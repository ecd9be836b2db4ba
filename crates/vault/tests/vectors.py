"""A second implementation of the vault's formats, as docs/vault.md states them.

`python3 vectors.py > vectors.txt` writes the known answers that the unit tests compare with. It needs
the `cryptography` package. The answers never change: a new format gets new ones beside them.
"""

import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY = bytes(range(32))
KEY_ID = bytes([0x11] * 16)
PARENT = bytes(range(32, 64))
PARENT_ID = bytes([0x22] * 16)
OWNER = bytes([0x33] * 16)
OBJECT = bytes([0x44] * 16)
NUMBER = bytes(range(100, 124))
CREATED = 1_763_683_200_000_000
EXPIRES = 1_763_683_260_000_000


def join(*parts):
    return b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def derive(key, label, context):
    info = b"mimamori/vault/1/" + label + b"\0" + context
    return HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(key)


def message(key, label, header, aad, plain):
    cipher = AESGCM(derive(key, label, NUMBER[:12]))
    return header + NUMBER + cipher.encrypt(NUMBER[12:], plain, join(header, aad))


def place(kind, *parts):
    return join(kind, *parts)


def object_place():
    return place(b"object", OBJECT, struct.pack(">Q", 3), b"Observation")


def sealed():
    header = b"\x01\x01" + KEY_ID
    return message(KEY, b"seal", header, object_place(), "体温 36.5".encode())


def chunked():
    plain = bytes(i % 251 for i in range(65536 + 100))
    header = b"\x02\x01" + KEY_ID + NUMBER
    cipher = AESGCM(derive(KEY, b"chunks", NUMBER))
    aad = join(header, object_place())
    first = cipher.encrypt(bytes(7) + struct.pack(">IB", 0, 0), plain[:65536], aad)
    last = cipher.encrypt(bytes(7) + struct.pack(">IB", 1, 1), plain[65536:], aad)
    return hashlib.sha256(header + first + last).digest() + header + last


def wrapped():
    aad = join(KEY_ID, PARENT_ID, b"data:vital-signs:2025-11", OWNER, struct.pack(">q", CREATED))
    return message(PARENT, b"wrap", b"\x01", aad, KEY)


def cursor():
    payload = b"position"
    plain = struct.pack(">qQ", EXPIRES, len(payload)) + payload
    plain += bytes(-len(plain) % 64)
    text = base64.urlsafe_b64encode(message(KEY, b"cursor", b"\x01", b"caller and query", plain))
    return text.rstrip(b"=")


def token(label, *parts):
    return hmac.new(derive(KEY, label, b""), join(*parts), "sha256").digest()[:16]


def show(name, value):
    print(name, value.hex())


if __name__ == "__main__":
    show("seal", sealed())
    show("chunks", chunked())
    show("wrap", wrapped())
    print("cursor", cursor().decode())
    show("root-id", derive(KEY, b"root-id", b"")[:16])
    show("identifier", token(b"index", b"identifier", b"urn:oid:1.2.392.100495.20.3.61|0012-345"))
    show("kana", token(b"index", b"kana", "やまだはなこ".encode()))
    show("kana-prefix", token(b"index", b"kana-prefix", "やま".encode()))
    show("name", token(b"index", b"name", "高崎花子".encode()))
    show("name-prefix", token(b"index", b"name-prefix", "高".encode()))
    show("birth-year", token(b"index", b"birth-year", b"1950"))
    show("birth-month", token(b"index", b"birth-month", b"1950-03"))
    show("birth-day", token(b"index", b"birth-day", b"1950-03-05"))
    show("code", token(b"codes", b"code", b"http://loinc.org", b"8310-5"))
