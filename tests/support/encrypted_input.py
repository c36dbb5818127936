"""Secret inputs as Port encrypts them."""

import base64
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def encrypted(plain: str, secret: str) -> str:
    """`plain` under the client secret: a nonce of 16 bytes, the ciphertext and its tag, in base64."""
    iv = os.urandom(16)
    return base64.b64encode(iv + AESGCM(secret.encode()[:32]).encrypt(iv, plain.encode(), None)).decode()
