"""What payloads, responses and reports rest in: compressed, then AES-GCM, under a key derived from the client secret.

Layout: format byte, key id (4 bytes), nonce (12 bytes), ciphertext and tag. The key id tells which secret sealed it, so
that during a rotation the previous secret still opens what it sealed.
"""

import hashlib
import os
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from longshore.errors import LongshoreError

_FORMAT = b"\x01"
_LEVEL = 1  # compresses JSON to about a third; higher levels cost three times the CPU for a tenth less


class Unsealable(LongshoreError):
    """Sealed bytes that no known secret opens: the client secret was replaced, or Redis holds something else."""


def _cipher(secret: str) -> tuple[bytes, AESGCM]:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"longshore seal v1").derive(secret.encode())
    return hashlib.sha256(b"longshore key id" + key).digest()[:4], AESGCM(key)


class Sealer:
    """Seals with `secret`; opens what `secret` or `previous` sealed. Thread safe."""

    def __init__(self, secret: str, previous: str = "") -> None:
        self._id, self._current = _cipher(secret)
        self._ciphers = {self._id: self._current}
        if previous:
            id, cipher = _cipher(previous)
            self._ciphers.setdefault(id, cipher)

    def seal(self, data: bytes) -> bytes:
        """`data` compressed and encrypted."""
        head = _FORMAT + self._id
        nonce = os.urandom(12)
        return head + nonce + self._current.encrypt(nonce, zlib.compress(data, _LEVEL), head)

    def open(self, blob: bytes) -> bytes:
        """What was sealed. Raises `Unsealable` if no known secret opens it."""
        head, nonce, body = blob[:5], blob[5:17], blob[17:]
        cipher = self._ciphers.get(head[1:])
        if head[:1] != _FORMAT or cipher is None:
            raise Unsealable("sealed with a secret this process does not have; set PORT_CLIENT_SECRET_PREVIOUS")
        try:
            return zlib.decompress(cipher.decrypt(nonce, body, head))
        except (InvalidTag, zlib.error):
            raise Unsealable("the sealed bytes were altered") from None
