"""Port's polling API in memory, behind the client's `call`: it knows what the fake Port does, and fails as told."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from longshore.invocation import json_text
from longshore.port import Reply
from longshore.sandbox.fake_port_claims import FakeClaims
from longshore.sandbox.fake_port_rules import RESERVED_USAGE, find

URL = "http://deployer.internal:8080/h"


def action_object(id: str, **payload: Any) -> dict[str, Any]:
    """An element of `runs`, as in the wire contract."""
    body = {"service": "checkout", "port_context": {"runId": id}}
    return {
        "id": id,
        "status": "IN_PROGRESS",
        "payload": {"type": "WEBHOOK", "url": URL, "agent": True, "synchronized": True, "body": body} | payload,
    }


def node_object(id: str, **config: Any) -> dict[str, Any]:
    """An element of `nodeRuns`."""
    config = {"type": "WEBHOOK", "url": URL, "agent": True} | config
    return {"identifier": id, "status": "IN_PROGRESS", "config": config}


class MemoryPort:
    """Stands in for a `PortClient`. Each of `faults` is, once, raised instead of the next answer.

    `lost`: raised after Port has done what was asked. `calls`: name and body, in order.
    """

    def __init__(self) -> None:
        self.claims = FakeClaims()
        self.faults: deque[Exception | None] = deque()
        self.lost: deque[Exception | None] = deque()
        self.answers: deque[Any] = deque()
        self.calls: list[tuple[str, Any]] = []
        self.on_call: Callable[[str, Any], None] = lambda name, body: None

    def call(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """As `PortClient.call`."""
        match = find(method, path)
        assert match is not None, f"Port has no {method} {path}"
        endpoint = match[0]
        assert endpoint.check(json) is None, endpoint.check(json)
        assert (headers or {}).get(RESERVED_USAGE[0]) == RESERVED_USAGE[1]
        self.calls.append((endpoint.name, json))
        self.on_call(endpoint.name, json)
        if self.faults and (fault := self.faults.popleft()):
            raise fault
        status, body = self.claims.apply(endpoint.name, json)
        if self.answers:
            body = self.answers.popleft()
        if self.lost and (lost := self.lost.popleft()):
            raise lost
        return Reply(status, json_text.dumps(body, ascii=False).encode(), {})

    def named(self, name: str) -> list[Any]:
        """The bodies of the calls of this name."""
        return [body for each, body in self.calls if each == name]
