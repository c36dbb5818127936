"""From an object that Port's polling API gives out to the message that mappings see and targets get.

Both shapes are those of the original agent, key for key and in its order (wire contract, polling objects). The object
is not changed; the message shares what it has in common with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longshore.errors import LongshoreError
from longshore.invocation.kinds import Kind
from longshore.invocation.stream import Stream

_REQUIRED = ("type", "url", "agent", "body")
"""What the `payload` of an action run must have; of a node run nothing is required."""

_DEFAULTS: dict[str, Any] = {"synchronized": False, "method": "POST", "headers": {}}


class Incomplete(LongshoreError):
    """An object lacks what a delivery needs, or has it in another shape; says in words what."""


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """One of the two kinds of objects: where its id stands, and the object that says how to invoke."""

    kind: Kind
    id_key: str
    method_key: str
    message_of: Callable[[dict[str, Any]], dict[str, Any]]
    """The message of an object that has an id. Raises `Incomplete`."""

    def id_of(self, run: Any) -> str | None:
        """The run's id; None where it has none that could be acknowledged: no text, or one that cannot be encoded."""
        id = run.get(self.id_key) if isinstance(run, dict) else None
        return id if isinstance(id, str) and id and id == id.encode("utf-8", "replace").decode() else None

    def is_for_agent(self, run: dict[str, Any]) -> bool:
        """Whether Port wants an agent to invoke it. The message does not say this, so it is to be asked here."""
        return bool((run.get(self.method_key) or {}).get("agent"))


def _action_run_message(run: dict[str, Any]) -> dict[str, Any]:
    """The body configured in Port, with the run's id, its invocation method and its headers. Raises `Incomplete`."""
    payload = _get_object(run, "payload")
    absent = [name for name in _REQUIRED if payload.get(name) is None]
    if absent:
        raise Incomplete(f"Port gave it out without {' and '.join(absent)}")
    body = _get_object(payload, "body")
    method = _invocation_method(payload)
    inner = _get_object(body, "payload", {})
    action = _get_object(inner, "action", {})
    return body | {
        "headers": method["headers"],
        "payload": inner | {"action": action | {"invocationMethod": method}},
        "context": _get_object(body, "context", {}) | {"runId": run["id"]},
    }


def _node_run_message(run: dict[str, Any]) -> dict[str, Any]:
    """The node's invocation method and headers, and its whole `config` beside its id. Raises `Incomplete`."""
    config = _get_object(run, "config", {})
    method = _invocation_method(config)
    return {
        "headers": method["headers"],
        "payload": {"action": {"invocationMethod": method}},
        "context": {"runId": run["identifier"], "nodeConfig": config},
    }


def _invocation_method(part: dict[str, Any]) -> dict[str, Any]:
    """What mappings see as the invocation method; a configured body is its last key (known since release v0.8.12)."""
    values = _DEFAULTS | {name: value for name, value in part.items() if value is not None}
    method = {name: values.get(name) for name in ("type", "url", "synchronized", "method", "headers")}
    return method | {"body": part["body"]} if part.get("body") is not None else method


def _get_object(parent: dict[str, Any], name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
    """The object `name` of `parent`, or `default` where there is none."""
    value = parent.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, dict):
        raise Incomplete(f"Port gave it out with a {name} that is no object")
    return value


SHAPES = {
    Stream.POLLED_RUNS: ObjectShape(Kind.ACTION_RUN, "id", "payload", _action_run_message),
    Stream.POLLED_NODE_RUNS: ObjectShape(Kind.NODE_RUN, "identifier", "config", _node_run_message),
}
"""By where an object was claimed."""
