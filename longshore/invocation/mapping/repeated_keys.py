"""Keys that an object of a mapping file has twice: the last one counts, as for Port's own agent, which nobody means."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from longshore.invocation import json_text


def find_repeated_keys(content: bytes, mappings: list[Any]) -> Iterator[str]:
    """A warning for each in a file of this `content`, which was read as `mappings`."""
    members = json_text.loads(content, keep_repeated=True)
    for index, (mapping, written) in enumerate(zip(mappings, members, strict=True)):
        yield from _find(mapping, written, f"mapping {index}")


def _find(value: Any, written: Any, place: str) -> Iterator[str]:
    """`written` is `value` as it stands in the file: an object with a repeated key is the list of its members there."""
    if isinstance(value, list):
        for index, (item, written_item) in enumerate(zip(value, written, strict=True)):
            yield from _find(item, written_item, f"{place}, {index}")
    elif isinstance(value, dict):
        pairs = [pair for member in (written if isinstance(written, list) else [written]) for pair in member.items()]
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                yield f"{place}: key {key!r} is given {count} times; only the last one counts"
        for key, written_item in dict(pairs).items():
            yield from _find(value[key], written_item, f"{place}, {key}")
