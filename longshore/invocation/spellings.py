"""The spellings that a secret takes on its way through other programs: escaped, quoted, in base64, in other case.

Making them all costs as much as a request, and nearly no text holds any. So a secret has *probes* first: short pieces,
cheap to make, one of which stands in every spelling.
"""

import base64
import html
import json
import re
from functools import cached_property
from urllib.parse import quote, quote_plus

MIN_CHARS = 4
"""Shorter secrets are not looked for inside texts: that would mask half of every text."""

_MIN_INNER_CHARS = 8
"""Characters of base64 that are no accident, where a secret stands inside of something longer."""

_ALPHANUMERIC = re.compile("[A-Za-z0-9]+")


def fold(text: str) -> str:
    """`text` in lower case, character by character, so that places in it are places in `text`."""
    # The one character whose lower case is two, and the one with two lower cases.
    return (text if text.isascii() else text.replace("İ", "i").replace("ς", "σ").replace("Σ", "σ")).lower()


class Spellings:
    """One secret and its spellings, all folded."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        data = secret.encode("utf-8", "surrogatepass")
        self._inner = _inner_base64(data)
        # No escaping touches letters and digits. What begins at another place in base64 looks different there.
        candidates = [_longest_run(form) for form in (secret, *(self._inner or [base64.b64encode(data).decode()]))]
        # Empty stands in every text: without a piece worth the name each text has to be looked at closely.
        self.probes = tuple(map(fold, candidates)) if all(len(piece) >= MIN_CHARS for piece in candidates) else ("",)

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Every spelling, longest first."""
        secret = self._secret
        data = secret.encode("utf-8", "surrogatepass")
        quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
        escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        # A text inside JSON inside JSON, as `tojson` makes it.
        escaped |= {json.dumps(form)[1:-1] for form in escaped}
        encoded = {base64.b64encode(data).decode().rstrip("="), *self._inner}
        encoded |= {form.replace("+", "-").replace("/", "_") for form in encoded}
        forms = {fold(form) for form in (secret, html.escape(secret), *quoted, *escaped, *encoded)}
        return tuple(sorted(forms, key=len, reverse=True))

    def may_be_in(self, folded_text: str) -> bool:
        """Whether it is worth looking for the forms in a folded text."""
        return any(probe in folded_text for probe in self.probes)


def _inner_base64(data: bytes) -> list[str]:
    """What of the base64 of anything around `data` is told by `data` alone: it may begin at any of three places."""
    forms = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode()
        form = encoded[(8 * shift + 5) // 6 : 8 * (shift + len(data)) // 6]
        if len(form) >= _MIN_INNER_CHARS:
            forms.append(form)
    return forms


def _longest_run(text: str) -> str:
    """Its longest run of letters and digits."""
    return max(_ALPHANUMERIC.findall(text), key=len, default="")
