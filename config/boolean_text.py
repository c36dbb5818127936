"""A boolean in the text of a variable, where it matters before the settings are made of them all."""

from pydantic import TypeAdapter, ValidationError

_BOOLEAN = TypeAdapter(bool)


def parse_boolean(text: str) -> bool | None:
    """What a setting would take `text` for; None for what is no boolean, which is reported where values are checked."""
    try:
        return _BOOLEAN.validate_python(text)
    except ValidationError:
        return None
