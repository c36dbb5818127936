"""What payloads, responses and reports rest in: compressed, then AES-GCM, under a key derived from the client secret.

Layout 2: format byte, key id (4 bytes), generation (4 bytes), nonce (12 bytes), ciphertext and tag. The key id tells
which secret sealed it, so that during a rotation the previous secret still opens what it sealed. All in front of the
nonce is authenticated, and with it what the value is bound to (`Bond`), which stands nowhere: whoever opens it must
know. So a value that somebody put into another record, or in another place of its own, does not open.

Layout 1 has no generation and is bound to nothing: records of format 1 have it, see record.py.
"""

import hashlib
import json
import os
import struct
import zlib
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from longshore.errors import LongshoreError

_UNBOUND, _BOUND = b"\x01", b"\x02"
_LEVEL = 1  # compresses JSON to about a third; higher levels cost three times the CPU for a tenth less
_MIN_BYTES = 256  # what is shorter hardly shrinks, and setting a compression up costs as much as sealing


class Unsealable(LongshoreError):
    """Sealed bytes that no known secret opens: the client secret was replaced, or Redis holds something else."""


class Foreign(Unsealable):
    """Sealed bytes that belong elsewhere, or were altered: somebody else writes to this Redis."""

    def __str__(self) -> str:
        return "it does not belong to this record: somebody has swapped or altered it in Redis"


class Bond(NamedTuple):
    """What a sealed value is bound to, beside the agent's namespace."""

    purpose: str
    id: str
    """Of its record."""
    generation: int = 0
    """In which it was written; to open it, the record's present one. 0: the same in all of them."""
    run: str = ""
    """Port's id of the run that it is told to."""


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())


def _cipher(secret: str) -> tuple[bytes, AESGCM]:
    key = _derive(secret, b"longshore seal v1")
    return hashlib.sha256(b"longshore key id" + key).digest()[:4], AESGCM(key)


class Sealer:
    """Seals with `secret`; opens what `secret` or `previous` sealed for the agent `namespace`. Thread safe."""

    def __init__(self, secret: str, previous: str = "", namespace: str = "") -> None:
        self._id, self._current = _cipher(secret)
        self._digest_key = _derive(secret, b"longshore digest v1")
        self._ciphers = {self._id: self._current}
        self._namespace = namespace
        if previous:
            id, cipher = _cipher(previous)
            self._ciphers.setdefault(id, cipher)

    def digest(self, purpose: str, *texts: str) -> str:
        """24 hex digits that are the same for the same texts, and tell them to nobody without the secret."""
        words = json.dumps((purpose, self._namespace, *texts)).encode()
        return hashlib.blake2b(words, key=self._digest_key, digest_size=12).hexdigest()

    def seal(self, data: bytes, bond: Bond | None = None) -> bytes:
        """`data` compressed, encrypted and bound; None binds it to nothing, as in records of format 1."""
        head = _UNBOUND + self._id if bond is None else _BOUND + self._id + bond.generation.to_bytes(4, "big")
        nonce = os.urandom(12)
        return head + nonce + self._current.encrypt(nonce, pack(data), self._bound(head, bond))

    def open(self, blob: bytes, bond: Bond | None = None) -> bytes:
        """What was sealed with this bond, in this generation of the record or an earlier one.

        Raises `Unsealable` if no known secret opens it, `Foreign` if it is bound to something else, or to nothing.
        """
        size = 5 if bond is None else 9
        head, nonce, body = blob[:size], blob[size : size + 12], blob[size + 12 :]
        cipher = self._ciphers.get(blob[1:5])
        if blob[:1] not in (_UNBOUND, _BOUND) or cipher is None:
            raise Unsealable("sealed with a secret this process does not have; set PORT_CLIENT_SECRET_PREVIOUS")
        if blob[:1] != (_UNBOUND if bond is None else _BOUND):
            raise Foreign
        if bond is not None and not min(1, bond.generation) <= int.from_bytes(head[5:], "big") <= bond.generation:
            raise Foreign
        try:
            return zlib.decompress(cipher.decrypt(nonce, body, self._bound(head, bond)))
        except (InvalidTag, zlib.error, ValueError):  # ValueError: too short
            raise Foreign from None

    def _bound(self, head: bytes, bond: Bond | None) -> bytes:
        if bond is None:
            return head
        words = (bond.purpose, self._namespace, bond.id, bond.run)
        return head + json.dumps(words).encode()


def pack(data: bytes) -> bytes:
    """`data` as `zlib.decompress` takes it; what is short is not compressed, but one stored block (RFC 1950, 1951)."""
    if len(data) >= _MIN_BYTES:
        return zlib.compress(data, _LEVEL)
    size = len(data)
    sizes = struct.pack("<HH", size, size ^ 0xFFFF)
    return b"\x78\x01\x01" + sizes + data + zlib.adler32(data).to_bytes(4, "big")
