"""What the fake Port answers wrongly on purpose: to the next calls, or to all of one name."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from longshore.sandbox.http_server import HttpAnswer

Condition = Callable[[str, Any], bool]
"""Whether a call with this run id and this body is to fail."""


class FakeFaults:
    """The faults that are set."""

    def __init__(self) -> None:
        self._next: deque[HttpAnswer] = deque()
        self._by_name: dict[str, tuple[HttpAnswer, Condition]] = {}

    def fail_next(self, count: int, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """Answer the next `count` calls with `status`."""
        self._next.extend([_answer(status, "", headers)] * count)

    def fail(
        self, name: str, status: int, message: str, condition: Condition, headers: tuple[tuple[str, str], ...]
    ) -> None:
        """Answer calls of this name with `status` where `condition` holds, until `clear`."""
        self._by_name[name] = (_answer(status, message, headers), condition)

    def clear(self) -> None:
        """End what `fail` began."""
        self._by_name.clear()

    def take_next(self) -> HttpAnswer | None:
        """The wrong answer to a call, whichever it is; None where it is to be answered rightly."""
        return self._next.popleft() if self._next else None

    def find(self, name: str, run_id: str, body: Any) -> HttpAnswer | None:
        """The wrong answer to a call of this name; None where it is to be answered rightly."""
        answer, condition = self._by_name.get(name, (None, None))
        return answer if condition is not None and condition(run_id, body) else None


def _answer(status: int, message: str, headers: tuple[tuple[str, str], ...]) -> HttpAnswer:
    return HttpAnswer(
        status, json.dumps({"ok": False, "error": "injected", "message": message}).encode(), headers=headers
    )
