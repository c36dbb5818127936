"""Port's signature over a message of the runs topic (wire contract, signature rule).

`v1,` + base64 of HMAC-SHA256 with the client secret over `<timestamp>.<canonical text>`, where the canonical text is
the message without what the signature itself added to it, printed as JavaScript prints it.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Any

from longshore.invocation import json_text
from longshore.invocation.stream import Stream, invocation_method

SIGNATURE = "X-Port-Signature"
TIMESTAMP = "X-Port-Timestamp"

_MEMBER = re.compile(rb'"[^"]*":(?:"([^"\\]{1,100})"|([0-9]{1,20}))')


def verify(message: dict[str, Any], secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed this message.

    Raises:
        Malformed: the message is nested too deeply to be printed.
    """
    return has_signature(message.get("headers"), json_text.dumps(strip(message), ascii=False), secrets)


def strip(message: dict[str, Any]) -> dict[str, Any]:
    """The message without its signature: what was signed, what mappings see, and what is sent.

    Takes the two signature headers out and leaves an emptied `headers` object in place; of a GITLAB invocation the
    whole `headers` key goes. The given message is left as it was.
    """
    headers = message.get("headers")
    if invocation_method(message, Stream.RUNS).get("type") == "GITLAB":
        return {key: value for key, value in message.items() if key != "headers"}
    if not isinstance(headers, dict):
        return message
    unsigned_headers = {name: value for name, value in headers.items() if name not in (SIGNATURE, TIMESTAMP)}
    return {key: (unsigned_headers if key == "headers" else value) for key, value in message.items()}


def has_signature(headers: Any, text: str, secrets: Sequence[str]) -> bool:
    """Whether these headers carry a signature that one of the secrets gives for this canonical text."""
    if not isinstance(headers, dict):
        return False
    signature, timestamp = headers.get(SIGNATURE), headers.get(TIMESTAMP)
    if not isinstance(signature, str) or not _is_timestamp(timestamp):
        return False
    content = f"{timestamp}.{text}".encode("utf-8", "surrogatepass")
    signature_bytes = signature.encode("utf-8", "surrogatepass")
    # Every secret is tried, so that the time taken does not tell which one matched.
    matches = [hmac.compare_digest(_sign(content, secret), signature_bytes) for secret in secrets]
    return any(matches)


def is_signed_as_text(raw: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed this Kafka value, as can be told without reading it, at the cost of its hash.

    True is never wrong: all but the signature itself was signed as it stands. False may be: that the text is not
    printed as Port prints it, so that only reading it could tell.
    """
    signature, rest = _take_out(raw, SIGNATURE)
    timestamp, text = _take_out(rest, TIMESTAMP)
    if not signature or not timestamp:
        return False
    # Of a GITLAB invocation the whole key is not signed.
    texts = (text, text.replace(b'"headers":{},', b"", 1), b"".join(text.rpartition(b',"headers":{}')[::2]))
    return any(
        hmac.compare_digest(_sign(timestamp + b"." + signed_text, secret), signature)
        for signed_text in dict.fromkeys(texts)
        for secret in secrets
    )


def _take_out(raw: bytes, name: str) -> tuple[bytes, bytes]:
    """The value of the last member of this name, and the text without that member; no value where there is none."""
    at = raw.rfind(f'"{name}":'.encode())
    match = _MEMBER.match(raw, at) if at >= 0 else None
    if match is None:
        return b"", raw
    before, after = raw[:at], raw[match.end() :]
    if after.startswith(b","):
        after = after[1:]
    else:
        before = before.removesuffix(b",")
    return match[1] or match[2], before + after


def _is_timestamp(value: Any) -> bool:
    return isinstance(value, str | int | float | json_text.Literal) and not isinstance(value, bool) and bool(value)


def _sign(content: bytes, secret: str) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(secret.encode("utf-8", "surrogateescape"), content, "sha256"))
