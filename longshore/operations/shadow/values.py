"""Two JSON values of lines, and where they differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from longshore.operations.shadow.fingerprints import MASKED


@dataclass(slots=True)
class Difference:
    """One place where both sides differ. A side without anything there is None."""

    where: str
    original: Any
    shadow: Any
    row: str | None = None
    """The number of the row in the list of differences that explains it."""
    invocation: str = ""


def compare_values(where: str, original: Any, shadow: Any) -> Iterator[Difference]:
    """The differences, each with its path below `where`. The order of keys is not looked at."""
    if isinstance(original, dict) and isinstance(shadow, dict):
        if "names" in original and "names" in shadow:
            yield from _compare_wording(where, original, shadow)
            return
        for name in dict.fromkeys((*original, *shadow)):
            place = f"{where}.{name}"
            if name in original and name in shadow:
                yield from compare_values(place, original[name], shadow[name])
            else:
                yield Difference(place, original.get(name), shadow.get(name))
        return
    if isinstance(original, list) and isinstance(shadow, list) and len(original) == len(shadow):
        for number, (one, other) in enumerate(zip(original, shadow, strict=True)):
            yield from compare_values(f"{where}[{number}]", one, other)
        return
    if original != shadow or type(original) is not type(shadow):
        yield Difference(where, original, shadow, "D23" if _is_masked(shadow) else None)


def _compare_wording(where: str, original: dict[str, Any], shadow: dict[str, Any]) -> Iterator[Difference]:
    """Texts for people may have other words, but must name the same facts."""
    if original["text"] == shadow["text"] or set(original["names"]) <= set(shadow["names"]):
        return
    row = "D23" if _is_masked(shadow["text"]) else None
    yield Difference(where, f"names {_join(original)}", f"names {_join(shadow)}", row)


def _join(wording: dict[str, Any]) -> str:
    return " and ".join(wording["names"]) or "neither status nor response"


def _is_masked(value: Any) -> bool:
    return isinstance(value, str) and value.endswith(MASKED)
