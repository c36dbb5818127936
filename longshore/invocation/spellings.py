"""The spellings that a secret takes on its way through other programs: escaped, quoted, in base64, in other case.

Making them all costs as much as a request, and nearly no text holds any. So a text is looked at first for what every
spelling has: as many characters as the secret, and one of its *probes*, which are short pieces of it.
"""

import base64
import json
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import product
from urllib.parse import quote, quote_plus

MIN_CHARS = 4
"""Shorter secrets are not looked for inside texts: that would mask half of every text."""

_MIN_INNER_CHARS = 8
"""Characters of base64 that are no accident, where a secret stands inside of something longer."""

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|/)")

_IN_MARKUP = {">": (">", "&gt;"), '"': ('"', "&quot;", "&#34;"), "'": ("'", "&#x27;", "&#39;", "&apos;")}
"""How programs write what HTML and XML need not escape everywhere; `&` and `<` all write alike."""

_ALPHANUMERIC = re.compile("[A-Za-z0-9]+")


def fold(text: str) -> str:
    """`text` in lower case, character by character, so that places in it are places in `text`."""
    # The one character whose lower case is two, and the one with two lower cases.
    return (text if text.isascii() else text.replace("İ", "i").replace("ς", "σ").replace("Σ", "σ")).lower()


def resolve_escapes(text: str) -> str:
    r"""`text` with the characters that JSON's `\uXXXX` and `\/` stand for."""
    resolved = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else "/", text)
    return resolved.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # a pair of them is one character


class Spellings:
    """One secret and its spellings, all folded. Each step is taken when a text asks for it, and once."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._chars = len(secret)

    def may_be_in(self, folded_text: str, max_chars: int) -> bool:
        """Whether it is worth looking for the forms in a folded text, or in many in one of at most `max_chars` each.

        Never False where one of them is in it: none is shorter than the secret.
        """
        if max_chars < self._chars:
            return False
        return self._probe in folded_text or any(map(folded_text.__contains__, self._base64_probes))

    @cached_property
    def _probe(self) -> str:
        """What stands in every spelling but base64, as no escaping touches letters and digits; empty for too little."""
        return _cut_probe(self._secret)

    @cached_property
    def _base64_probes(self) -> tuple[str, ...]:
        """One for each place in base64 where the secret may begin, as it looks different there."""
        data = self._secret.encode("utf-8", "surrogatepass")
        return tuple(map(_cut_probe, _inner_base64(data) or [base64.b64encode(data).decode()]))

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Every spelling, longest first."""
        secret = self._secret
        data = secret.encode("utf-8", "surrogatepass")
        # The last is JavaScript's `encodeURIComponent`.
        quoted = {quote(data, safe=""), quote(data), quote_plus(data), quote(data, safe="!'()*")}
        escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        # A text inside JSON inside JSON, as `tojson` makes it.
        escaped |= {json.dumps(form)[1:-1] for form in escaped}
        marked_up = set(_in_markup(secret))
        # JSON, XML or an encoded URL in a field of a form.
        quoted |= {
            quote_plus(form.encode("utf-8", "surrogatepass")) for form in (*escaped, *marked_up, quote(data, safe=""))
        }
        encoded = {base64.b64encode(data).decode().rstrip("="), *_inner_base64(data)}
        encoded |= {form.replace("+", "-").replace("/", "_") for form in encoded}
        forms = {fold(form) for form in (secret, *marked_up, *quoted, *escaped, *encoded)}
        return tuple(sorted(forms, key=len, reverse=True))


def _in_markup(secret: str) -> Iterator[str]:
    """`secret` as HTML and XML have it."""
    escaped = secret.replace("&", "&amp;").replace("<", "&lt;")
    characters = [character for character in _IN_MARKUP if character in secret]
    for forms in product(*(_IN_MARKUP[character] for character in characters)):
        table = {ord(character): form for character, form in zip(characters, forms, strict=True)}
        yield escaped.translate(table)


def _inner_base64(data: bytes) -> list[str]:
    """What of the base64 of anything around `data` is told by `data` alone: it may begin at any of three places."""
    encoded = (base64.b64encode(b"\0" * shift + data).decode() for shift in range(3))
    forms = (text[start:end] for text, (start, end) in zip(encoded, _inner_bounds(len(data)), strict=True))
    return [form for form in forms if len(form) >= _MIN_INNER_CHARS]


def _inner_bounds(size: int) -> list[tuple[int, int]]:
    """Start and end of those characters that say nothing of what stands before or behind `size` bytes."""
    return [((8 * shift + 5) // 6, 8 * (shift + size) // 6) for shift in range(3)]


def _cut_probe(text: str) -> str:
    """Its longest run of letters and digits, folded. Empty, which stands in every text, where that is no name to go by.

    So a text is looked at closely for a secret without one.
    """
    longest = max(_ALPHANUMERIC.findall(text), key=len, default="")
    return fold(longest) if len(longest) >= MIN_CHARS else ""
