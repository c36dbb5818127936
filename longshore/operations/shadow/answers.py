"""The answers of targets that `longshore shadow record` has recorded: what Port is told depends on them."""

import json
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

from longshore.delivery.outcome import Fault, Outcome, Response, Verdict
from longshore.errors import LongshoreError
from longshore.operations.shadow.lines import Line, Lines

ASSUMED = Response(200, {}, "")
"""The answer of a target nobody has asked."""

_NO_CONNECTION = Outcome(
    Verdict.RETRY, False, "connect_failed", "no connection to the target came about", fault=Fault.CONNECTION
)
_NO_ANSWER = Outcome(
    Verdict.UNKNOWN, True, "connection_lost", "the target did not answer the request", fault=Fault.ANSWER
)


class BadFile(LongshoreError):
    """A file of lines that is none; says where."""


def read_lines(path: Path) -> list[Line]:
    """The lines of a file; one that was cut off at its end by a crash is left out. Raises `BadFile` and OSError."""
    *texts, _cut = path.read_bytes().split(b"\n")
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict) or "kind" not in line:
            raise BadFile(f'line {number} of "{path}" is not written by longshore shadow')
        lines.append(line)
    return lines


def order_files(first: list[Line], second: list[Line]) -> tuple[list[Line], list[Line]]:
    """Both files, that of the original agent first. Raises `BadFile` where their fingerprints do not compare."""
    if len({line.get("secret") for line in (*first, *second)}) > 1:
        raise BadFile("the files were written with different client secrets: nothing in them can be compared")
    is_swapped = any(line["source"] == "shadow" for line in first) and not any(
        line["source"] == "shadow" for line in second
    )
    return (second, first) if is_swapped else (first, second)


def content_of(line: Line) -> tuple[Any, ...]:
    """What a webhook is known by where it names no invocation: two with the same content are the same request."""
    body = line["body"] or {}
    return line["method"], line["url"], body.get("compact", body.get("bytes"))


class Answers:
    """The recorded answers, by invocation and by the content of the request. The last one of each counts."""

    def __init__(self, recorded: Iterable[Line], lines: Lines) -> None:
        self._lines = lines
        self._answers: dict[Hashable, Line] = {}
        keys: list[Hashable] = []
        for line in recorded:
            if line["kind"] == "webhook" and "answer" in line:
                # The answer at the end of redirects is that of the request which began them.
                keys = keys if line.get("redirected") else _keys(line)
                self._answers.update((key, line["answer"]) for key in keys)

    def find(self, webhook: Line) -> Response | Outcome | None:
        """The answer to the request of this line; None if none was recorded that can be read."""
        answer = next((self._answers[key] for key in _keys(webhook) if key in self._answers), None)
        if answer is None:
            return None
        if "sealed" in answer:
            return self._lines.open(answer)
        return _NO_CONNECTION if answer["failure"] == "no connection" else _NO_ANSWER


def _keys(line: Line) -> list[Hashable]:
    """What tells whose answer it is, the surest first."""
    invocation, content = line["invocation"], content_of(line)
    return [(invocation, content), content, *([invocation] if invocation is not None else [])]
