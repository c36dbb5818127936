"""The lines of a file: one for each request, the same whoever writes it, the recorder or the shadow.

A line is a JSON object. Its `kind` is `webhook`, `port` (a call to Port's API) or `message` (what the shadow made of
one Kafka message). `invocation` names the run or the event, null where a recorded request does not tell.
"""

import hmac
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.delivery.outcome import Response
from longshore.delivery.signature_headers import SIGNATURE, TIMESTAMP, build_signature_headers
from longshore.invocation import json_text
from longshore.ledger.seal import Bond, Sealer, Unsealable
from longshore.operations.shadow.fingerprints import Fingerprints, as_wire

Line = dict[str, Any]

CLOCK_S = 300
"""How far the clock of the sender may be from ours."""

_DEFAULTS = {
    "accept": re.compile(r"\*/\*"),
    "accept-encoding": re.compile(r"gzip, deflate(, br)?(, zstd)?"),
    "user-agent": re.compile(r"python-requests/\S+|longshore"),
    "connection": re.compile(r"(?i)keep-alive|close"),
}
"""What each agent's library sends unless the mapping says otherwise. The two differ, and say nothing of the mapping."""
_TRANSPORT = frozenset(
    {"host", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "proxy-authorization", "via"}
)
_PORT_WORDS = frozenset({"SUCCESS", "FAILURE", "COMPLETED", "FAILED", "INFO", "WARN", "ERROR", "DEBUG"})
_SECRET_CHARS = 7
"""Of a fingerprint in each line: files made with different client secrets cannot be compared."""
_QUOTED_CHARS = 200
"""As much of an answer as a text must hold to count as quoting it; texts are cut."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request to a target, as it goes over the wire."""

    method: str
    url: str
    headers: Mapping[str, str | bytes] = field(repr=False)
    body: bytes | None = field(repr=False)


class Lines:
    """Writes lines, with the secrets of an agent. Thread safe."""

    def __init__(self, secrets: Sequence[str], source: str) -> None:
        """`secrets`: the client secret and, during a rotation, the one before; `source`: `original` or `shadow`."""
        self._secrets = secrets
        self._source = source
        self._sealer = Sealer(*secrets[:2])
        self.fingerprints = Fingerprints(secrets[0])
        self._secret = self.fingerprints.text("which secret")[:_SECRET_CHARS]

    def webhook(self, invocation: str | None, request: WebhookRequest, **facts: Any) -> Line:
        """The line of a request to a target; `facts` are what else is known of it."""
        return {
            **self._begin("webhook", invocation),
            "method": request.method.upper(),
            "url": self.fingerprints.url(request.url),
            "headers": self._headers(request),
            "body": self.fingerprints.body(request.body),
            **facts,
        }

    def port(
        self, invocation: str | None, method: str, path: str, body: Any, response: Response | None, **facts: Any
    ) -> Line:
        """The line of a call to Port with the JSON `body`; `response` is the answer of the target that it tells of."""
        items = {name: self._port_item(name, item, response) for name, item in body.items()}
        return {**self._begin("port", invocation), "method": method, "path": path, "json": items, **facts}

    def message(self, invocation: str | None, **facts: Any) -> Line:
        """The last line of a Kafka message."""
        return {**self._begin("message", invocation), **facts}

    def seal(self, response: Response) -> Line:
        """The answer of a target, encrypted but for its status: it decides what Port is told."""
        content = json_text.dumps([dict(response.headers), response.text, response.truncated], ascii=True)
        sealed = self._sealer.seal(content.encode(), _BOND)
        return {"status": response.status, "sealed": b64encode(sealed).decode()}

    def open(self, answer: Line) -> Response | None:
        """What `seal` encrypted; None where it was encrypted with another secret."""
        try:
            headers, text, truncated = json_text.loads(self._sealer.open(b64decode(answer["sealed"]), _BOND))
        except Unsealable:
            return None
        return Response(answer["status"], headers, text, truncated)

    def _begin(self, kind: str, invocation: str | None) -> Line:
        return {"kind": kind, "source": self._source, "secret": self._secret, "invocation": invocation}

    def _headers(self, request: WebhookRequest) -> dict[str, str]:
        """Headers that the mapping made, and the form of the signature: its value is another one each second."""
        values = {name.lower(): as_wire(value).decode("latin-1") for name, value in request.headers.items()}
        mapped = {
            name: value
            for name, value in values.items()
            if name not in _TRANSPORT and not (name in _DEFAULTS and _DEFAULTS[name].fullmatch(value))
        }
        masked = self.fingerprints.headers(mapped)
        if values.get("content-type", "").isascii() and "content-type" in masked:
            masked["content-type"] = values["content-type"]
        timestamp = values.get(TIMESTAMP.lower())
        if timestamp is not None:
            is_now = timestamp.isdecimal() and abs(time.time() - int(timestamp)) < CLOCK_S
            masked[TIMESTAMP.lower()] = "now, in seconds" if is_now else masked[TIMESTAMP.lower()]
            masked[SIGNATURE.lower()] = self._signature_form(values.get(SIGNATURE.lower(), ""), timestamp, request.body)
        return masked

    def _signature_form(self, signature: str, timestamp: str, body: bytes | None) -> str:
        contents: dict[str, str | bytes | None] = {}
        try:
            compact = json_text.dumps(json_text.loads(body), ascii=True) if body else None
            contents["v1, valid for the compact body"] = compact
        except json_text.Malformed:
            pass  # a form, say: it is signed as it is sent
        contents["v1, valid for the body"] = body
        at = float(timestamp) if timestamp.isdecimal() else 0.0
        for form, content in contents.items():
            for secret in self._secrets:
                expected = build_signature_headers(secret, content, at)[SIGNATURE]
                if hmac.compare_digest(expected.encode(), signature.encode("latin-1", "replace")):
                    return form
        return "not valid"

    def _port_item(self, name: str, item: Any, response: Response | None) -> Any:
        if name in ("message", "summary") and isinstance(item, str):
            return self._wording(item, response)
        if name in ("status", "result", "level") and item in _PORT_WORDS:
            return item
        if name == "logs" and isinstance(item, list):
            return [
                {key: self._port_item(key, part, response) for key, part in log.items()}
                if isinstance(log, dict)
                else self.fingerprints.value(log)
                for log in item
            ]
        return self.fingerprints.value(item)

    def _wording(self, text: str, response: Response | None) -> Line:
        """A text for people: its wording is free, but not which facts it names."""
        names = []
        if response is not None:
            quoted = response.text.strip()[:_QUOTED_CHARS]
            names += ["status"] if str(response.status) in text else []
            names += ["response"] if quoted and quoted in text else []
        return {"text": self.fingerprints.text(text), "names": names}


_BOND = Bond("recorded answer", "shadow")
