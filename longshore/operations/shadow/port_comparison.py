"""Compares what Port is told of one invocation: how logs are worded and joined is free, all else is not."""

from collections.abc import Iterator, Sequence
from typing import Any

from longshore.operations.shadow.fingerprints import MASKED
from longshore.operations.shadow.lines import Line
from longshore.operations.shadow.pairing import Unit
from longshore.operations.shadow.values import Difference, compare_values


def compare_port_calls(unit: Unit, is_run_of_event: bool) -> Iterator[Difference]:
    """The differences. `is_run_of_event`: a change log event is about this run."""
    row_of_extra = "D10" if is_run_of_event else None
    logs = [[line for line in side if _is_log(line)] for side in unit.port_calls]
    others = [[line for line in side if not _is_log(line)] for side in unit.port_calls]
    yield from _compare_logs(logs[0], logs[1], unit, row_of_extra)
    shadow = list(others[1])
    for line in others[0]:
        same = next((other for other in shadow if _describe(other) == _describe(line)), None)
        if same is None:
            yield Difference("Port", _describe(line), None, row_of_extra or _find_row_of_extra(line, unit))
        else:
            shadow.remove(same)
            for difference in compare_values(_describe(line), line["json"], same["json"]):
                difference.row = difference.row or _find_row_of_value(difference, unit)
                yield difference
    for line in shadow:
        yield Difference("Port", None, _describe(line), find_late_row(unit))
    orders = [[_describe(line) for line in side] for side in others]
    if sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]:
        yield Difference("order of calls to Port", ", ".join(orders[0]), ", ".join(orders[1]))


def find_late_row(unit: Unit) -> str | None:
    """The row for what only Longshore sends: the original gave up somewhere, or refused the message."""
    webhooks = [*(original for original, _ in unit.pairs), *unit.webhooks[0]]
    if unit.message.get("python_reprints") and not webhooks:
        return "D6"
    if any("failure" in line.get("answer", {}) for line in webhooks):
        return "D2"
    logs = [line for line in unit.port_calls[0] if _is_log(line)]
    if not webhooks:
        return "D3" if logs else None
    is_told = any("status" in wording["names"] for line in logs for wording in _wordings(line))
    return None if is_told or not logs else "D4"


def _compare_logs(
    original: Sequence[Line], shadow: Sequence[Line], unit: Unit, row_of_extra: str | None
) -> Iterator[Difference]:
    here, there = (f"{len(lines)} calls with logs" if lines else None for lines in (original, shadow))
    if original and not shadow:
        yield Difference("logs", here, there, row_of_extra)
    elif shadow and not original:
        yield Difference("logs", here, there, find_late_row(unit))
    elif original:
        if {line["path"] for line in original} != {line["path"] for line in shadow}:
            yield Difference("path of logs", original[0]["path"], shadow[0]["path"])
        if len(original) != len(shadow):
            yield Difference("logs", here, there, "D31")
        texts = [[wording for line in lines for wording in _wordings(line)] for lines in (original, shadow)]
        names = [{name for wording in side for name in wording["names"]} for side in texts]
        statuses = [line.get("answer", {}).get("status", 0) for line, _ in unit.pairs]
        # The answer of a target that took the request is nothing that a log must hold.
        missing = names[0] - names[1] - (set() if max(statuses, default=0) >= 400 else {"response"})
        if missing:
            is_masked = any(wording["text"].endswith(MASKED) for wording in texts[1])
            yield Difference(
                "logs", f"name {' and '.join(sorted(missing))}", None, "D23" if is_masked else row_of_extra
            )


def _wordings(line: Line) -> Iterator[dict[str, Any]]:
    for item in line["json"].get("logs", [line["json"]]):
        if isinstance(item, dict) and isinstance(item.get("message"), dict):
            yield item["message"]


def _find_row_of_extra(line: Line, unit: Unit) -> str | None:
    """Of a call that only the original made."""
    is_failed_node = line["json"].get("result") == "FAILED"
    return "D7" if is_failed_node and unit.message.get("reason") == "no_mapping" else None


def _find_row_of_value(difference: Difference, unit: Unit) -> str | None:
    is_id = difference.where.endswith(".externalRunId") and difference.shadow is None
    statuses = [original.get("answer", {}).get("status", 0) for original, _ in unit.pairs]
    return "D11" if is_id and any(status >= 400 for status in statuses) else None


def _is_log(line: Line) -> bool:
    return str(line["path"]).endswith("/logs")


def _describe(line: Line) -> str:
    return f"{line['method']} {line['path']}"
