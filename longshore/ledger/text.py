"""Text in Redis: UTF-8 in which a lone surrogate passes, as JSON of Port's may hold one and an id must stay itself."""


def decode(value: bytes) -> str:
    """The text of `value`."""
    return value.decode("utf-8", "surrogatepass")


def encode(text: str) -> bytes:
    """The bytes of `text`."""
    return text.encode("utf-8", "surrogatepass")
