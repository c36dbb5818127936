"""Structures of a mapping file whose texts are jq expressions (wire contract, mapping evaluation)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Expression:
    """One jq expression and its place in the file, such as `mapping 0, headers.X-Team`."""

    place: str
    source: str


@dataclass(frozen=True, slots=True)
class _Slot:
    index: int


class Expressions:
    """Collects the expressions that are evaluated together over one message, in order."""

    def __init__(self) -> None:
        self.all: list[Expression] = []

    def add(self, tree: Any, place: str) -> Any:
        """The tree with each text replaced by a slot for its result.

        Keys, numbers, booleans and null are literal. Nested empty objects disappear, empty lists stay.
        """
        if isinstance(tree, str):
            self.all.append(Expression(place, tree))
            return _Slot(len(self.all) - 1)
        if isinstance(tree, dict):
            items = ((key, self.add(value, f"{place}.{key}")) for key, value in tree.items())
            return {key: value for key, value in items if value != {}}
        if isinstance(tree, list):
            return [self.add(value, f"{place}.{index}") for index, value in enumerate(tree)]
        return tree


def fill(template: Any, results: list[Any]) -> Any:
    """What `add` gave, with the results in the slots."""
    if isinstance(template, _Slot):
        return results[template.index]
    if isinstance(template, dict):
        return {key: fill(value, results) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, results) for value in template]
    return template
