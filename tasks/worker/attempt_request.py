"""From what a worker has begun to the request it sends: the sealed message opened, the request built, its place known.

Decrypted values live only here, in this call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.delivery.send_errors import Unsendable
from longshore.delivery.target import lane_of
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.invocation.decrypted import DecryptedMessage
from longshore.invocation.mapping import JqUnavailable, MappingFault
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.record import bond
from longshore.ledger.seal import Foreign, Sealer, Unsealable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry import metrics
from tasks.worker.attempt_log import log_fault
from tasks.worker.attempt_result import UNEXPECTED

log = EventLog(__name__)


class RequestNotBuildable(LongshoreError):
    """No request can be made of this invocation: reason code and plain cause, for its dead letter."""

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__(reason, cause)
        self.reason = reason
        self.cause = cause


@dataclass(frozen=True, slots=True)
class AddressedRequest:
    """A request ready to send, and where it belongs."""

    built: BuiltRequest = field(repr=False)
    target: str
    lane: str


def build_requests(
    attempts: Sequence[StartedAttempt], sealer: Sealer, builder: RequestBuilder
) -> list[AddressedRequest | RequestNotBuildable | JqUnavailable]:
    """For each attempt its request, or why there is none; none harms another. jq is asked once for a mapping.

    Nothing with a payload in it is raised.
    """
    opened = _open(attempts, sealer, builder)
    built = iter(builder.build_many([each for each in opened if not isinstance(each, Exception)]))
    return [
        each if isinstance(each, Exception) else _address(attempt, next(built), builder)
        for attempt, each in zip(attempts, opened, strict=True)
    ]


def _open(
    attempts: Sequence[StartedAttempt], sealer: Sealer, builder: RequestBuilder
) -> list[tuple[DecryptedMessage, int] | RequestNotBuildable | JqUnavailable]:
    """For each attempt its decrypted message, and its mapping entry."""
    texts = [_message(attempt, sealer) for attempt in attempts]
    accepted = zip(texts, (attempt.mapping for attempt in attempts), strict=True)
    entries = iter(builder.select_entries([(text, mapping) for text, mapping in accepted if isinstance(text, str)]))
    return [
        _decrypt(attempt, text, next(entries), builder) if isinstance(text, str) else text
        for attempt, text in zip(attempts, texts, strict=True)
    ]


def _decrypt(
    attempt: StartedAttempt, text: str, entry: int | Exception | None, builder: RequestBuilder
) -> tuple[DecryptedMessage, int] | RequestNotBuildable | JqUnavailable:
    if isinstance(entry, Exception):
        return _explain(attempt, entry)
    if entry is None:
        return RequestNotBuildable("no_mapping", "no mapping of this worker's file is enabled for it")
    try:
        message = builder.decrypt(text, entry, attempt.verbatim)
        for path in message.failed_paths:
            metrics.DECRYPTION_FAILURES.inc()
            log.event(events.INVOCATION_DECRYPTION_FAILED, run_id=attempt.run or attempt.id, path=path)
        return message, entry
    except Exception as error:
        return _explain(attempt, error)


def _address(
    attempt: StartedAttempt, built: BuiltRequest | Exception, builder: RequestBuilder
) -> AddressedRequest | RequestNotBuildable | JqUnavailable:
    """The request with its target and lane, if it is one that can be sent."""
    if isinstance(built, Exception):
        return _explain(attempt, built)
    try:
        target = builder.resolve_target(built)
        builder.check_variables(built)
    except Exception as error:
        return _explain(attempt, error)
    action = attempt.lane.removeprefix(attempt.target)[1:]
    return AddressedRequest(built, target, lane_of(target, action))


def _explain(attempt: StartedAttempt, error: Exception) -> RequestNotBuildable | JqUnavailable:
    """Why there is no request, for a dead letter; a fault of ours ends this attempt and no other of its batch."""
    match error:
        case RequestNotBuildable() | JqUnavailable():
            return error
        case MappingFault():
            return RequestNotBuildable("mapping", str(error))
        case json_text.Malformed():
            return RequestNotBuildable("malformed", "its message is not JSON")
        case Unsendable():
            return RequestNotBuildable(error.reason, error.cause)
    return RequestNotBuildable(UNEXPECTED, log_fault(attempt, error))


def _message(attempt: StartedAttempt, sealer: Sealer) -> str | RequestNotBuildable | JqUnavailable:
    """The message as it was accepted, its secret inputs still encrypted; or why it cannot be had."""
    try:
        bound = bond(attempt.format, "payload", attempt.id, run=attempt.run)
        return sealer.open(attempt.payload, bound).decode("utf-8", "surrogatepass")
    except Foreign as error:
        log.event(events.INVOCATION_BINDING_MISMATCHED, run_id=attempt.run or attempt.id, problem=str(error))
        return RequestNotBuildable("foreign", f"its payload was not sent: {error}")
    except Unsealable as error:
        return RequestNotBuildable("unsealable", f"its payload cannot be opened: {error}")
    except Exception as error:
        return _explain(attempt, error)
