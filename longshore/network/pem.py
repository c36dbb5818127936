"""Certificates out of whatever people put into a certificate file.

PEM with any number of certificates, glued lines, comments, a byte order mark or UTF-16, or a single one in DER. What
comes out has been parsed by the OpenSSL that will use it. A private key is never looked into.
"""

import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]+)-----")
_CERTIFICATE = ("CERTIFICATE", "X509 CERTIFICATE")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class PemContent:
    """The certificates of one file (DER, in their order), and in words what was left out; never both empty."""

    certificates: tuple[bytes, ...]
    skip_reasons: tuple[str, ...]


def extract(data: bytes) -> PemContent:
    """All certificates in `data`, the content of one file."""
    if not data.strip():
        return PemContent((), ("the file is empty",))
    if data.startswith(_UTF16):
        data = data.decode("utf-16", "replace").encode("ascii", "replace")
    results = list(_read_blocks(data)) if _MARK.search(data) else [_parse_der(data)]
    certificates = [each for each in results if isinstance(each, bytes)]
    skip_reasons = [each for each in results if isinstance(each, str)]
    usable_certificates = filter_usable(certificates)
    skip_reasons += ["a certificate that OpenSSL cannot read"] * (len(certificates) - len(usable_certificates))
    if not usable_certificates and not skip_reasons:
        skip_reasons.append("no certificate in it")
    return PemContent(tuple(usable_certificates), tuple(skip_reasons))


def filter_usable(certificates: list[bytes]) -> list[bytes]:
    """Those that OpenSSL accepts as certificates to trust: one bad block would spoil a whole bundle."""
    if not certificates or _is_loadable(b"".join(certificates)):
        return certificates
    return [each for each in certificates if _is_loadable(each)]


def _is_loadable(certificates: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _read_blocks(data: bytes) -> Iterator[bytes | str]:
    """The certificate of each block, or what is wrong with the block."""
    begin: re.Match[bytes] | None = None
    for mark in _MARK.finditer(data):
        kind, label = mark[1], mark[2].decode()
        if begin is not None and (kind == b"BEGIN" or mark[2] != begin[2]):
            yield f"a {begin[2].decode()} block without an end"
            begin = None
        if kind == b"BEGIN":
            begin = mark
        elif begin is not None:
            yield _parse_block(label, data[begin.end() : mark.start()])
            begin = None
    if begin is not None:
        yield f"a {begin[2].decode()} block without an end"


def _parse_block(label: str, body: bytes) -> bytes | str:
    if label.endswith("PRIVATE KEY"):
        return "a private key, which does not belong here: it was not copied"
    if label.startswith("PKCS"):
        return f"a {label} block: take the certificates out of it with `openssl pkcs7 -print_certs`"
    if label not in _CERTIFICATE:
        return f"a {label} block"
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return "a certificate that is damaged (its base64 text)"
    return der if _der_length(der) == len(der) else "a certificate that is cut off or damaged"


def _parse_der(data: bytes) -> bytes | str:
    length = _der_length(data)
    if length is None or data[length:].strip(b"\r\n\0 "):
        return "neither PEM nor a DER certificate"
    return data[:length] if len(data) >= length else "a DER certificate that is cut off"


def _der_length(der: bytes) -> int | None:
    """The length that a DER sequence claims for itself, header included; None when it is none."""
    if len(der) < 2 or der[0] != 0x30:
        return None
    if der[1] < 0x80:
        return 2 + der[1]
    size = der[1] & 0x7F
    if not 1 <= size <= 4 or len(der) < 2 + size:
        return None
    return 2 + size + int.from_bytes(der[2 : 2 + size], "big")
