"""Compares what the original agent sent with what Longshore would send, key for key."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.operations.shadow.lines import Line
from longshore.operations.shadow.pairing import Unit, pair
from longshore.operations.shadow.port_comparison import compare_port_calls, find_late_row
from longshore.operations.shadow.values import Difference, compare_values


@dataclass(slots=True)
class Comparison:
    """What came of it. An invocation is alike, explained (by rows of the list of differences), or different."""

    alike: int = 0
    explained: int = 0
    different: int = 0
    assumed: int = 0
    """Invocations whose reports were not compared: their answer was assumed."""
    unpaired: int = 0
    """Invocations that only one side has, where only pairs were to be judged."""
    sees_port: bool = True
    """Whether the original's calls to Port were recorded; otherwise they are not compared."""
    own_calls: int = 0
    """Calls to Port that are of no run, such as those for a token."""
    rows: Counter[str] = field(default_factory=Counter)
    """Invocations that each row explains."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Invocations that were judged."""
        return self.alike + self.explained + self.different


def compare(original: Sequence[Line], shadow: Sequence[Line], *, only_pairs: bool = False) -> Comparison:
    """What differs. With `only_pairs`, what only one file has is counted and not judged."""
    result = Comparison()
    result.own_calls = sum(line["kind"] == "port" and line["invocation"] is None for line in (*original, *shadow))
    result.sees_port = any(line["kind"] == "port" for line in original)
    units = pair(original, shadow)
    runs_of_events = {unit.message["about_run"] for unit in units.values() if "about_run" in unit.message}
    for invocation, unit in units.items():
        if not unit.pairs and not any(unit.webhooks) and not (result.sees_port and any(unit.port_calls)):
            continue  # nothing was sent on either side
        if only_pairs and _is_on_one_side(unit):
            result.unpaired += 1
            continue
        _judge(invocation, list(_compare_unit(unit, invocation in runs_of_events, result.sees_port)), result)
        result.assumed += _is_assumed(unit)
    return result


def _judge(invocation: str, differences: list[Difference], result: Comparison) -> None:
    for difference in differences:
        difference.invocation = invocation
    result.differences += differences
    result.rows.update({difference.row for difference in differences if difference.row is not None})
    if any(difference.row is None for difference in differences):
        result.different += 1
    elif differences:
        result.explained += 1
    else:
        result.alike += 1


def _is_on_one_side(unit: Unit) -> bool:
    has_side = [bool(unit.pairs or unit.webhooks[side] or unit.port_calls[side]) for side in (0, 1)]
    # A message that the shadow has read is on its side, whatever came of it.
    return not (has_side[0] and (has_side[1] or unit.message))


def _is_assumed(unit: Unit) -> bool:
    return any(line.get("answer") == "assumed" for line in unit.port_calls[1])


def _compare_unit(unit: Unit, is_run_of_event: bool, sees_port: bool) -> Iterator[Difference]:
    for original, shadow in unit.pairs:
        yield from _compare_webhooks(original, shadow)
    for line in unit.webhooks[0]:
        yield Difference("webhook", _describe(line), None, _find_row_of_extra(line, unit.message))
    for line in unit.webhooks[1]:
        yield Difference("webhook", None, _describe(line), find_late_row(unit))
    if sees_port and not _is_assumed(unit):
        yield from compare_port_calls(unit, is_run_of_event)


def _compare_webhooks(original: Line, shadow: Line) -> Iterator[Difference]:
    if original["method"] != shadow["method"]:
        yield Difference("method", original["method"], shadow["method"])
    if original["url"] != shadow["url"]:
        is_slash = _place(original["url"]) == _place(shadow["url"]) + "api"
        yield Difference("url", original["url"], shadow["url"], "D11" if is_slash else None)
    for difference in compare_values("headers", original["headers"], shadow["headers"]):
        is_added = difference.original is None and difference.where.removeprefix("headers.") in shadow.get("added", ())
        difference.row = "D1" if is_added else difference.row
        yield difference
    yield from _compare_bodies(original["body"] or {}, shadow["body"] or {})


def _compare_bodies(original: Line, shadow: Line) -> Iterator[Difference]:
    if original.get("bytes") == shadow.get("bytes"):
        return
    if "compact" in original and original["compact"] == shadow.get("compact"):
        here, there = (f"{line['size']} bytes of the same JSON" for line in (original, shadow))
        yield Difference("body", here, there, "D29")
        return
    if "json" not in original or "json" not in shadow:
        yield Difference("body", original.get("bytes"), shadow.get("bytes"))
        return
    places = list(compare_values("body", original["json"], shadow["json"]))
    yield from places or [Difference("body", "its keys in this order", "its keys in another order")]


def _find_row_of_extra(line: Line, message: Line) -> str | None:
    """Of a webhook that only the original sent."""
    if line.get("redirected"):
        return "D27"
    if message.get("reason") == "bad_signature" and message.get("has_destination"):
        return "D24"
    return None


def _describe(line: Line) -> str:
    return f"{line['method']} {line['url']}"


def _place(url: Any) -> str:
    return str(url).partition("://")[2].partition("/")[0]
