"""Where a message came from, and which object in it describes how to invoke (wire contract, incoming messages)."""

from enum import StrEnum
from typing import Any


class Stream(StrEnum):
    """Where a message was taken from; it alone decides, never what the message says of itself."""

    RUNS = "runs"
    """Action runs and workflow node runs, signed."""

    CHANGE_LOG = "change_log"
    """Change log events: not signed, and never a run, whatever ids they mention."""

    POLLED_RUNS = "polled_runs"
    """Action runs claimed through Port's API: not signed, as that call is authenticated."""

    POLLED_NODE_RUNS = "polled_node_runs"
    """Workflow node runs claimed in the same way."""

    OTHER = "other"
    """Any other topic: nothing on it is for the agent."""


def invocation_method(message: dict[str, Any], stream: Stream) -> dict[str, Any]:
    """The object that says type, url and agent of an invocation; empty where it or a parent is absent or no object."""
    if stream in (Stream.RUNS, Stream.POLLED_RUNS, Stream.POLLED_NODE_RUNS):
        return get_object(message, "payload", "action", "invocationMethod")
    if stream is Stream.CHANGE_LOG:
        return get_object(message, "changelogDestination")
    return {}


def get_object(value: Any, *names: str) -> dict[str, Any]:
    """The object at this path, empty where anything on the way is absent or no object."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
