"""Which webhook of one file is which of the other, and what belongs to one invocation."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from longshore.operations.shadow.answers import content_of
from longshore.operations.shadow.lines import Line

Key = Callable[[Line], Hashable | None]


@dataclass(slots=True)
class Unit:
    """All that both sides have of one invocation."""

    pairs: list[tuple[Line, Line]] = field(default_factory=list)
    """The same webhook on both sides."""
    webhooks: tuple[list[Line], list[Line]] = field(default_factory=lambda: ([], []))
    """Those that only the first or only the second side has."""
    port_calls: tuple[list[Line], list[Line]] = field(default_factory=lambda: ([], []))
    message: Line = field(default_factory=dict)
    """What the shadow says of its message."""


def pair(first: Sequence[Line], second: Sequence[Line]) -> dict[str, Unit]:
    """The invocations of both files, by name; `first` is that of the original agent.

    Webhooks are paired by name and content; where a recorded one names no run, or is of an event (which the original
    takes for the run that it is about), by content alone; then by name; events at last by their place in the files. Two
    runs are never paired, however alike they are.
    """
    units: defaultdict[str, Unit] = defaultdict(Unit)
    originals, shadows = _webhooks(first), _webhooks(second)
    for key, other_key in (
        (_exact_key, _exact_key),
        (_unnamed_content, content_of),
        (content_of, _event_content),
        (_name_key, _name_key),
        (_event_place, _event_place),
    ):
        pairs, originals, shadows = _match(originals, shadows, key, other_key)
        for original, shadow in pairs:
            units[shadow["invocation"] or original["invocation"] or "unnamed"].pairs.append((original, shadow))
    for side, webhooks in enumerate((originals, shadows)):
        for number, line in enumerate(webhooks):
            units[line["invocation"] or f"unnamed {number + 1}"].webhooks[side].append(line)
    for side, lines in enumerate((first, second)):
        for line in lines:
            if line["kind"] == "port" and line["invocation"] is not None:
                units[line["invocation"]].port_calls[side].append(line)
            elif line["kind"] == "message" and line["invocation"] is not None:
                units[line["invocation"]].message = line
    return dict(units)


def _match(
    originals: list[Line], shadows: list[Line], key: Key, other_key: Key
) -> tuple[list[tuple[Line, Line]], list[Line], list[Line]]:
    """Pairs with the same key, in order, and what remains on each side. None is no key."""
    waiting: defaultdict[Hashable, list[Line]] = defaultdict(list)
    for line in reversed(shadows):
        if (name := other_key(line)) is not None:
            waiting[name].append(line)
    pairs, rest, paired = [], [], set()
    for line in originals:
        name = key(line)
        if name is not None and waiting[name]:
            pairs.append((line, other := waiting[name].pop()))
            paired.add(id(other))
        else:
            rest.append(line)
    return pairs, rest, [line for line in shadows if id(line) not in paired]


def _webhooks(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line["kind"] == "webhook"]


def _exact_key(line: Line) -> Hashable | None:
    return None if line["invocation"] is None else (line["invocation"], content_of(line), bool(line.get("redirected")))


def _unnamed_content(line: Line) -> Hashable | None:
    return content_of(line) if line["invocation"] is None and not line.get("redirected") else None


def _event_content(line: Line) -> Hashable | None:
    return content_of(line) if _is_event(line) else None


def _name_key(line: Line) -> Hashable | None:
    return None if line.get("redirected") else line["invocation"]


def _event_place(line: Line) -> Hashable | None:
    """Events to the same place, in the order of both files."""
    is_event = line["invocation"] is None or _is_event(line)
    return (line["method"], line["url"]) if is_event and not line.get("redirected") else None


def _is_event(line: Line) -> bool:
    return line["invocation"] is not None and line["invocation"].startswith("cl.")
