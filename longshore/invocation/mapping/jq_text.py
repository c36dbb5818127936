"""JSON text and jq source as jq 1.8 can take them."""

import re

_ESCAPE = re.compile(
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\."
)


def readable_by_jq(text: str) -> str:
    """The JSON text with lone surrogates replaced by U+FFFD: jq 1.8 refuses to read them, jq 1.5 did the same."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPE.sub(lambda match: "\\ufffd" if match["lone"] else match[0], text)


def guard_expression(expression: str | None) -> str:
    """A program that gives what an expression gives, without disturbing the expressions around it.

    Its one output is the first output in a list, `false` if the expression failed, `null` if it gave nothing. None
    stands for an expression with a syntax error, which gives JSON null (wire contract, mapping evaluation).
    """
    if expression is None:
        return "[null]"
    # Two line ends: the expression may end in a comment, and a comment in a backslash that continues it.
    return f"first((try (({expression}\n\n)|[.]) catch false),null)"
