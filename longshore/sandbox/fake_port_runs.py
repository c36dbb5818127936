"""The runs of the fake Port: their state, logs and response, changed as Port changes them."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

MAX_LOG_LINES = 200
"""Log lines kept per run."""

MAX_RESPONSE_CHARS = 4_000
"""Characters of a response on the page, which is sent every second."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a run's log; `at` in epoch seconds."""

    at: float
    level: str
    text: str


@dataclass(slots=True)
class FakeRun:
    """A run as Port knows it.

    `state` is IN_PROGRESS, SUCCESS or FAILURE; `changes` are the calls that were taken, name and body, in order.
    """

    id: str
    title: str = ""
    state: str = "IN_PROGRESS"
    summary: str | None = None
    link: str | list[str] | None = None
    external_run_id: str | None = None
    response: Any = None
    changed_at: float = 0.0
    logs: deque[LogLine] = field(default_factory=lambda: deque(maxlen=MAX_LOG_LINES))
    changes: deque[tuple[str, Any]] = field(default_factory=lambda: deque(maxlen=MAX_LOG_LINES))

    @property
    def ended(self) -> bool:
        """Whether Port takes no more changes."""
        return self.state != "IN_PROGRESS"

    def apply(self, name: str, body: Any, at: float) -> str | None:
        """Take one call (`name` as in the rules, its body already checked). Returns what is wrong with it now.

        A finished run takes logs, but no change; a repeat of what was taken before, or of a part of it, is refused
        too, yet it is no fault of the caller ("repeated"): the answer to the first may have been lost.
        """
        self.changed_at = at
        if name == "run_log":
            self._log(at, "INFO", body["message"])
            if "terminationStatus" in body and not self.ended:
                self.state = body["terminationStatus"]
        elif name == "node_log":
            for line in body["logs"]:
                self._log(at, line["level"], line["message"])
        elif self.ended:
            return "repeated" if self._has_taken(name, body) else "the run is finished and cannot be modified"
        elif name == "run_response":
            self.response = body["response"]
        elif name == "run_status":
            self._patch(body)
        else:
            self.state = "SUCCESS" if body["result"] == "SUCCESS" else "FAILURE"
            self.response = body.get("output")
        self.changes.append((name, body))
        return None

    def _has_taken(self, name: str, body: Any) -> bool:
        return any(name == other and body.items() <= change.items() for other, change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """The run for the page."""
        return {
            "id": self.id,
            "title": self.title,
            "kind": "workflow node" if self.id.startswith("wfnr_") else "action",
            "state": self.state,
            "summary": self.summary,
            "link": self.link,
            "externalRunId": self.external_run_id,
            "response": _shorten(self.response),
            "changedAt": self.changed_at,
            "logs": [{"at": line.at, "level": line.level, "text": line.text} for line in self.logs],
        }

    def _log(self, at: float, level: str, text: str) -> None:
        self.logs.extend(LogLine(at, level, line) for line in text.split("\n"))

    def _patch(self, body: dict[str, Any]) -> None:
        self.link = body.get("link", self.link)
        self.summary = body.get("summary", self.summary)
        self.external_run_id = body.get("externalRunId", self.external_run_id)
        self.state = body.get("status", self.state)


def _shorten(response: Any) -> Any:
    text = response if isinstance(response, str) else json.dumps(response)
    return response if len(text) <= MAX_RESPONSE_CHARS else f"{text[:MAX_RESPONSE_CHARS]} …"
