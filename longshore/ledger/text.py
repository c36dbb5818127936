"""Text and numbers in Redis; a lone surrogate passes, as JSON of Port's may hold one and an id must stay itself.

Nothing raises: what a person or a bug has damaged must not hide everything that is shown beside it.
"""


def decode(value: bytes) -> str:
    """The text of `value`; what is no UTF-8 is replaced, so that such a text leads to no record."""
    try:
        return value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace")


def encode(text: str) -> bytes:
    """The bytes of `text`."""
    return text.encode("utf-8", "surrogatepass")


def number(value: bytes | str | None, default: int = 0) -> int:
    """The whole number that `value` says; `default` for nothing, and for what is none."""
    try:
        return int(value or default)
    except ValueError:
        pass
    try:
        return int(float(value or default))  # as Redis writes a large score: 9e+99
    except (ValueError, OverflowError):
        return default
