"""What the readers of a `delivery` section share: values are checked, and problems say what would be right."""

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any


class InvalidValue(Exception):
    """A value is invalid; caught where its key is known, so the text goes on behind the key."""


def read_object(value: Any, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """The members of an object, by the reader of each key; those that are null or missing are left out.

    Raises InvalidValue with all that is wrong.
    """
    if not isinstance(value, dict):
        raise InvalidValue(f"is {type_name(value)}, not an object")
    problems = [f"has the {problem}" for problem in describe_unknown_keys(value, tuple(readers))]
    members = {}
    for key, read_value in readers.items():
        if value.get(key) is not None:
            try:
                members[key] = read_value(value[key])
            except InvalidValue as error:
                problems.append(f"{key} {error}")
    if problems:
        raise InvalidValue("; ".join(problems))
    return members


def unknown_keys(section: Collection[str], known_keys: tuple[str, ...], place: str) -> Iterator[str]:
    """A problem for each unknown key, with the known key that is most similar."""
    return (f"{place}: {problem}" for problem in describe_unknown_keys(section, known_keys))


def describe_unknown_keys(section: Collection[str], known_keys: tuple[str, ...]) -> Iterator[str]:
    """The same, without the place."""
    for key in section:
        if key not in known_keys:
            similar_keys = get_close_matches(key.lower(), known_keys, n=1)
            hint = f"did you mean {similar_keys[0]!r}?" if similar_keys else f"known are {', '.join(known_keys)}"
            yield f"unknown key {key!r}; {hint}"


def read_boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidValue(f"is {type_name(value)}, not true or false")
    return value


def read_text(value: Any) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise InvalidValue(f"is {type_name(value)}, not a text")
    return value


def read_choice(value: Any, choices: tuple[str, ...]) -> str:
    """One of some words."""
    word = read_text(value)
    if word not in choices:
        similar_words = get_close_matches(word.lower(), choices, n=1)
        hint = f"did you mean {similar_words[0]!r}?" if similar_words else f"known are {', '.join(choices)}"
        raise InvalidValue(f"is {word!r}; {hint}")
    return word


def read_path(value: Any) -> str:
    """The path of a file; whether it is there is another question."""
    path = read_text(value)
    if not path or not path.isprintable():
        raise InvalidValue("is no path of a file")
    return path


def type_name(value: Any) -> str:
    """What kind of JSON `value` is, in words."""
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return kinds.get(type(value), "a number")
