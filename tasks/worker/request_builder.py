"""From a sealed record to the request its mapping makes of it. Decrypted values live only here, in this call."""

from dataclasses import dataclass, field
from typing import Any

import structlog

from longshore.delivery.errors import BadUrl
from longshore.delivery.target import lane_of, target_of
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.invocation.gitlab import missing_token
from longshore.invocation.mapping import MappedRequest, Mapping, MappingFault
from longshore.invocation.masking import Mask
from longshore.invocation.opened import Opened, mask_of, opened
from longshore.invocation.report_context import report_context
from longshore.store.entry import Begun
from longshore.store.record import bond
from longshore.store.seal import Foreign, Sealer, Unsealable

log = structlog.get_logger(__name__)


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
    mask: Mask
    """What of it no log line, no text for Port and no dead letter may hold."""


class RequestBuilder:
    """Builds requests. Thread safe."""

    def __init__(
        self, sealer: Sealer, mapping: Mapping, secrets: tuple[str, ...], masked: tuple[str, ...] = ()
    ) -> None:
        """`secrets` decrypt; they and what else is `masked` come back from no target."""
        self._sealer = sealer
        self._mapping = mapping
        self._secrets = secrets
        self._always = Mask((*secrets, *masked))

    def build(self, begun: Begun) -> Prepared:
        """The request for `begun`. Raises `Unbuildable`, never anything with a payload in it."""
        try:
            bound = bond(begun.format, "payload", begun.id, run=begun.run)
            text = self._sealer.open(begun.payload, bound).decode("utf-8", "surrogatepass")
        except Foreign as error:
            log.error("invocation.foreign_payload", run_id=begun.run or begun.id, problem=str(error))
            raise Unbuildable("foreign", f"its payload was not sent: {error}") from None
        except Unsealable as error:
            raise Unbuildable("unsealable", f"its payload cannot be opened: {error}") from None
        try:
            entry = self._entry(begun, text)
            message = self._opened(begun, entry, text)
            request = self._mapping.request(entry, message.text)
        except MappingFault as fault:
            raise Unbuildable("mapping", str(fault)) from None
        except json_text.Malformed:
            raise Unbuildable("malformed", "its message is not JSON") from None
        if not request.url:
            raise Unbuildable("bad_url", "the mapping gives no URL")
        try:
            target = target_of(request.url)
        except BadUrl as error:
            raise Unbuildable(error.reason, str(error)) from None
        if (name := self._mapping.delivery(entry).target) is not None:
            target = name
        if (problem := missing_token(self._mapping, entry, message.text, request)) is not None:
            raise Unbuildable("missing_variable", problem)
        action = begun.lane.removeprefix(begun.target)[1:]
        mask = mask_of(message, request, self._always, self._mapping.variables(entry, request, message.text))
        return Prepared(request, target, lane_of(target, action), entry, message.text, mask)

    def report(self, prepared: Prepared, headers: Any, response: Any) -> dict[str, Any] | None:
        """What the mapping's `report` section makes of the final response; None where it has none.

        Raises `MappingFault` and `JqUnavailable`.
        """
        if not self._mapping.has_report(prepared.entry):
            return None
        context = report_context(prepared.message, prepared.request, headers, response)
        return self._mapping.report(prepared.entry, context)

    def _entry(self, begun: Begun, text: str) -> int:
        digest, _, number = begun.mapping.partition("/")
        if digest == self._mapping.digest and number.isdigit():
            return int(number)
        entry = self._mapping.select(text)
        if entry is None:
            raise Unbuildable("no_mapping", "no mapping of this worker's file is enabled for it")
        return entry

    def _opened(self, begun: Begun, entry: int, text: str) -> Opened:
        message = opened(text, self._mapping.decrypt_paths(entry), self._secrets)
        for path in message.failed:
            log.warning("invocation.not_decrypted", run_id=begun.run or begun.id, path=path, means="sent as it came")
        return message
