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
from longshore.invocation.mapping import JqUnavailable, MappingFault
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.record import bond
from longshore.ledger.seal import Foreign, Sealer, Unsealable
from longshore.log import events
from longshore.log.event_log import EventLog

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


def build_request(attempt: StartedAttempt, sealer: Sealer, builder: RequestBuilder) -> AddressedRequest:
    """The request for `attempt`.

    Raises `RequestNotBuildable`, never anything with a payload in it, and `JqUnavailable`.
    """
    text = _message(attempt, sealer)
    try:
        entry = builder.select_entry(text, attempt.mapping)
        if entry is None:
            raise RequestNotBuildable("no_mapping", "no mapping of this worker's file is enabled for it")
        message = builder.decrypt(text, entry)
        for path in message.failed_paths:
            log.event(
                events.INVOCATION_DECRYPTION_FAILED,
                run_id=attempt.run or attempt.id,
                path=path,
            )
        built = builder.build(message, entry)
        target = builder.resolve_target(built)
        builder.check_variables(built)
    except MappingFault as fault:
        raise RequestNotBuildable("mapping", str(fault)) from None
    except json_text.Malformed:
        raise RequestNotBuildable("malformed", "its message is not JSON") from None
    except Unsendable as error:
        raise RequestNotBuildable(error.reason, error.cause) from None
    action = attempt.lane.removeprefix(attempt.target)[1:]
    return AddressedRequest(built, target, lane_of(target, action))


def _message(attempt: StartedAttempt, sealer: Sealer) -> str:
    """The message as it was accepted, its secret inputs still encrypted."""
    try:
        bound = bond(attempt.format, "payload", attempt.id, run=attempt.run)
        return sealer.open(attempt.payload, bound).decode("utf-8", "surrogatepass")
    except Foreign as error:
        log.event(events.INVOCATION_BINDING_MISMATCHED, run_id=attempt.run or attempt.id, problem=str(error))
        raise RequestNotBuildable("foreign", f"its payload was not sent: {error}") from None
    except Unsealable as error:
        raise RequestNotBuildable("unsealable", f"its payload cannot be opened: {error}") from None


def build_requests(
    attempts: Sequence[StartedAttempt], sealer: Sealer, builder: RequestBuilder
) -> list[AddressedRequest | RequestNotBuildable | JqUnavailable]:
    """Temporary."""
    requests: list[AddressedRequest | RequestNotBuildable | JqUnavailable] = []
    for attempt in attempts:
        try:
            requests.append(build_request(attempt, sealer, builder))
        except (RequestNotBuildable, JqUnavailable) as error:
            requests.append(error)
    return requests
