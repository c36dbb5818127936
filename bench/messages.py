"""What the bench publishes: change log events and runs of 1.5 KB, as Port signs them."""

from collections.abc import Callable, Mapping

from longshore.sandbox.publisher import JsonObject, action_run, change_log_event, signed, text_of

SECRET = "bench-client-secret-0123456789-abcdefghijkl"
BODY_BYTES = 1500
WORDS = "the deployment of the checkout service moved to the second tier after its review; "

Message = Callable[[str, str], bytes]
"""Run id and URL → the Kafka value."""


def event(id: str, url: str) -> bytes:
    """A change log event of 1.5 KB, by whose context the target knows it."""
    message = change_log_event(url, "checkout")
    message["context"]["runId"] = id
    return text_of(padded(message, message["diff"]["after"]["properties"]))


def run(id: str, url: str) -> bytes:
    """An asynchronous action run of 1.5 KB."""
    return _run(id, url, synchronized=False)


def sync_run(id: str, url: str) -> bytes:
    """A synchronous action run of 1.5 KB: Port also gets the answer and the status."""
    return _run(id, url, synchronized=True)


KINDS: Mapping[str, Message] = {"event": event, "run": run, "sync": sync_run}
"""Row → its message."""


def padded(message: JsonObject, properties: JsonObject) -> JsonObject:
    """`message` with a text in `properties`, a part of it, so that it has `BODY_BYTES`."""
    properties["note"] = ""
    missing = max(0, BODY_BYTES - len(text_of(message)))
    properties["note"] = (WORDS * (1 + missing // len(WORDS)))[:missing]
    return message


def _run(id: str, url: str, *, synchronized: bool) -> bytes:
    message = action_run(id, url, synchronized=synchronized)
    return text_of(signed(padded(message, message["payload"]["properties"]), SECRET))
