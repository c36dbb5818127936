"""From a sealed record to the request its mapping makes of it. Decrypted values live only here, in this call."""

import json
from dataclasses import dataclass, field
from typing import Any

from longshore.delivery.errors import BadUrl
from longshore.delivery.target import lane_of, target_of
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.invocation.decrypt import decrypt
from longshore.invocation.mapping import MappedRequest, Mapping, MappingFault
from longshore.store.entry import Begun
from longshore.store.seal import Sealer, Unsealable


class Unbuildable(LongshoreError):
    """No request can be made of this invocation: reason code and plain cause, for its dead letter."""

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__(reason, cause)
        self.reason = reason
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to send, and where it belongs."""

    request: MappedRequest = field(repr=False)
    target: str
    lane: str
    entry: int
    message: str = field(repr=False)
    """The message after decryption, as JSON text: `.body` of the mapping's report."""


class RequestBuilder:
    """Builds requests. Thread safe."""

    def __init__(self, sealer: Sealer, mapping: Mapping, secrets: tuple[str, ...]) -> None:
        self._sealer = sealer
        self._mapping = mapping
        self._secrets = secrets

    def build(self, begun: Begun) -> Prepared:
        """The request for `begun`. Raises `Unbuildable`, never anything with a payload in it."""
        try:
            text = self._sealer.open(begun.payload).decode("utf-8", "surrogatepass")
        except Unsealable as error:
            raise Unbuildable("unsealable", f"its payload cannot be opened: {error}") from None
        try:
            entry = self._entry(begun, text)
            text = self._decrypted(entry, text)
            request = self._mapping.request(entry, text)
        except MappingFault as fault:
            raise Unbuildable("mapping", str(fault)) from None
        if not request.url:
            raise Unbuildable("bad_url", "the mapping gives no URL")
        try:
            target = target_of(request.url)
        except BadUrl as error:
            raise Unbuildable("bad_url", str(error)) from None
        action = begun.lane.removeprefix(begun.target)[1:]
        return Prepared(request, target, lane_of(target, action), entry, text)

    def report(self, prepared: Prepared, headers: Any, response: Any) -> dict[str, Any] | None:
        """What the mapping's `report` section makes of the final response; None where it has none or fails."""
        if not self._mapping.has_report(prepared.entry):
            return None
        request = prepared.request
        shown = {"method": request.method, "url": request.url, "headers": dict(headers), "query": _query(request)}
        answer = {
            "statusCode": response.status,
            "headers": dict(response.headers),
            "text": response.text,
            "json": _parsed(response.text),
        }
        context = (
            f'{{"body":{prepared.message},'
            f'"request":{{"body":{request.body or "null"},{json.dumps(shown)[1:]},'
            f'"response":{json.dumps(answer)}}}'
        )
        try:
            return self._mapping.report(prepared.entry, context)
        except MappingFault:
            return None

    def _entry(self, begun: Begun, text: str) -> int:
        digest, _, number = begun.mapping.partition("/")
        if digest == self._mapping.digest and number.isdigit():
            return int(number)
        entry = self._mapping.select(text)
        if entry is None:
            raise Unbuildable("no_mapping", "no mapping of this worker's file is enabled for it")
        return entry

    def _decrypted(self, entry: int, text: str) -> str:
        paths = self._mapping.decrypt_paths(entry)
        if not paths:
            return text
        message, _ = decrypt(json_text.loads(text), paths, self._secrets)
        return json_text.dumps(message, ascii=False)


def _query(request: MappedRequest) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in request.query:
        if name in query:
            query[name] = [*(query[name] if isinstance(query[name], list) else [query[name]]), value]
        else:
            query[name] = value
    return query


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
