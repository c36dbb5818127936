"""What a message from Kafka or Port's polling API is: an invocation for us, one that is refused, or not our business.

Owns the order of the decisions (wire contract, filtering) and promises that no bytes whatever raise. Whether a mapping
wants the invocation is decided later, in `mapping`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.invocation import json_limits, json_text, polling_message, signature
from longshore.invocation.kinds import Kind
from longshore.invocation.stream import Stream, get_object, invocation_method

MAX_ACTION_CHARS = 256
"""Longest action name kept, in characters: it becomes part of a lane's name, and real ones are far shorter."""

MAX_VALUES = 131_072
"""Most JSON values in a message that is read before anybody is known to have signed it: each costs up to 3 µs and 250
bytes. Of what brokers take by default (1 MiB) that is one value for every eight bytes."""


NOT_FOR_AGENT = "its invocation method in Port is not set to use an agent"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not for us; nothing is kept of it but the count.

    `reason` is `tombstone`, `not_utf8`, `not_json`, `too_deep`, `too_large` (no memory to read it), `not_object`,
    `not_for_agent`, or `no_target` (neither a run id nor a url).
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Meant for us, but not to be delivered; kept as a dead letter.

    `reason` is `bad_signature`, `malformed` or `too_complex` (more than `MAX_VALUES`); of what was claimed by polling
    `not_for_agent` or `incomplete`, and `cause` says more. `text` is what would have been delivered, so that a dead
    letter refused for an outdated secret can be sent after all; of a malformed one it is what could be read, and it is
    empty where nothing was. Without a usable run id the kind is CHANGE_LOG, because Port can be told nothing.
    """

    reason: str
    kind: Kind
    run_id: str | None
    text: str = field(repr=False)
    action: str
    synchronized: bool
    type: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation for us, its signature verified and taken out.

    `text` is the canonical JSON text of `message`. `run_id` is None for what is delivered like a change log event.
    `action` is the action's identifier ("-" if it has none, "change_log" for change log events) and `type` the
    invocation method's type ("-" if it has none): names for lanes and logs, safe to encode.
    """

    kind: Kind
    run_id: str | None
    message: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)
    synchronized: bool
    action: str
    type: str


Classified = Skipped | Refused | Invocation


def classify_message(raw: bytes | None, stream: Stream, secrets: Sequence[str]) -> Classified:
    """Decide what one message is; `secrets` are the client secret and, during a rotation, the one before it.

    `raw` is a Kafka value, or the text of one object that Port's polling API gave out.
    """
    if stream in polling_message.SHAPES:
        return _classify_polled(raw or b"", polling_message.SHAPES[stream])
    if not raw:
        return Skipped("tombstone")
    if json_limits.has_more_values_than(MAX_VALUES, raw) and not (
        stream is Stream.RUNS and signature.is_signed_as_text(raw, secrets)
    ):
        return Refused("too_complex", Kind.CHANGE_LOG, None, "", "-", False, "-")
    try:
        message = json_text.loads(raw)
    except json_text.Malformed as error:
        return Skipped(error.reason)
    except MemoryError:
        return Skipped("too_large")
    if not isinstance(message, dict):
        return Skipped("not_object")
    method = invocation_method(message, stream)
    if not method.get("agent"):
        return Skipped("not_for_agent")
    try:
        return _classify_for_agent(message, method, stream, secrets)
    except Exception:  # whatever it is, it is in the message: ingest goes on, and an operator gets to see it
        return Refused("malformed", Kind.CHANGE_LOG, None, raw.decode("utf-8", "replace"), "-", False, "-")


def _classify_for_agent(
    message: dict[str, Any], method: dict[str, Any], stream: Stream, secrets: Sequence[str]
) -> Skipped | Refused | Invocation:
    run_id = get_object(message, "context").get("runId") or None
    action, kind = _action_name(message), _kind_of(run_id)
    synchronized, method_type = bool(method.get("synchronized")), _clean_name(method.get("type"))
    unsigned_message = message
    if stream is Stream.RUNS:
        unsigned_message = signature.strip(message)
    text = json_text.dumps(unsigned_message, ascii=False)
    if stream is Stream.RUNS and not signature.has_signature(message.get("headers"), text, secrets):
        return Refused("bad_signature", kind, _valid_run_id(run_id), text, action, synchronized, method_type)
    if run_id is None and not method.get("url"):
        return Skipped("no_target")
    if stream is Stream.CHANGE_LOG:
        return Invocation(Kind.CHANGE_LOG, None, unsigned_message, text, synchronized, "change_log", method_type)
    if run_id is not None and _valid_run_id(run_id) is None:
        return Refused("malformed", kind, None, text, action, synchronized, method_type)
    return Invocation(kind, run_id, unsigned_message, text, synchronized, action, method_type)


def _classify_polled(raw: bytes, shape: polling_message.ObjectShape) -> Refused | Invocation:
    """Nothing claimed is skipped: who has acknowledged it is the only one who can tell Port what became of it."""
    run_id, text, message, reason, cause = None, "", dict[str, Any](), "", ""
    try:
        run = json_text.loads(raw)
        run_id = shape.id_of(run)
        message = shape.message_of(run)
        text = json_text.dumps(message, ascii=False)
        if not shape.is_for_agent(run):
            reason, cause = "not_for_agent", NOT_FOR_AGENT
    except polling_message.Incomplete as error:
        reason, cause = "incomplete", str(error)
    except Exception:  # whatever it is, it is in the object: the run is refused, and ingest goes on
        reason, cause = "incomplete", "Port gave it out in a shape that the agent cannot read"
    method = invocation_method(message, Stream.POLLED_RUNS)
    action, synchronized = _action_name(message), bool(method.get("synchronized"))
    if reason:
        return Refused(reason, shape.kind, run_id, text, action, synchronized, _clean_name(method.get("type")), cause)
    return Invocation(shape.kind, run_id, message, text, synchronized, action, _clean_name(method.get("type")))


def _kind_of(run_id: Any) -> Kind:
    valid_id = _valid_run_id(run_id)
    if valid_id is None:
        return Kind.CHANGE_LOG
    return Kind.NODE_RUN if valid_id.startswith("wfnr_") else Kind.ACTION_RUN


def _valid_run_id(run_id: Any) -> str | None:
    """The run id if it is a text that can be sent anywhere: one with a lone surrogate cannot be encoded."""
    return run_id if isinstance(run_id, str) and run_id == _escape_surrogates(run_id) else None


def _action_name(message: dict[str, Any]) -> str:
    return _clean_name(get_object(message, "payload", "action").get("identifier"))


def _clean_name(value: Any) -> str:
    return _escape_surrogates(value[:MAX_ACTION_CHARS]) if isinstance(value, str) and value else "-"


def _escape_surrogates(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
