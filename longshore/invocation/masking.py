"""Keeps secret values out of whatever people read: log lines, texts for Port, dead letters.

By value, because a secret input that was decrypted for one request comes back in places nobody can list: a target's
answer, its error page, a report expression. A value is also found in the spellings it takes on the way: escaped as
JSON or HTML, URL-quoted, in base64, in other case.
"""

import base64
import contextvars
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from longshore.invocation import json_text

MASK = "***"
"""What stands in place of a secret."""

SHORTEST = 4
"""Shorter values are masked where they are a whole JSON value, not inside texts: that would mask half of every text."""

_SENSITIVE = re.compile(
    r"(?i)(^|[-_.])(authorization|cookie|token|secret|password|passwd|signature|credentials?|(api|access|private)[-_]?key)$"
    r"|[a-z](Token|Secret|Password|ApiKey|AccessKey|PrivateKey)$"
)
_SCHEME = re.compile(r"(?i)(bearer|basic|token|digest|apikey)\s+")


def is_sensitive(name: str) -> bool:
    """Whether a header, query parameter or key of this name holds a secret: `Authorization`, `X-Api-Key`, `token`."""
    return _SENSITIVE.search(name) is not None


class Mask:
    """Replaces some secret values by `***`. Without values it changes nothing."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(part for value in values for part in _parts(value) if part)
        forms = {form for value in self._values if len(value) >= SHORTEST for form in _forms(value)}
        # Longest first, so that a secret which holds another one goes whole.
        self._spelled = {form.lower(): form for form in sorted(forms, key=len)}
        self._forms = sorted(self._spelled, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Mask({len(self._values)} values)"

    def __add__(self, other: "Mask") -> "Mask":
        """A mask for the values of both."""
        return Mask(self._values | other._values) if self._values and other._values else other if other else self

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        lower = text.lower()
        # Compiled only when there is something to replace: it costs as much as a request.
        found = [re.escape(self._spelled[form]) for form in self._forms if form in lower]
        return re.sub("|".join(found), MASK, text, flags=re.IGNORECASE) if found else text

    def cut_text(self, text: str) -> str:
        """`text` without secrets, of which the last may have been cut off in its middle."""
        text = self.text(text)
        end = text[-max(map(len, self._forms), default=0) :].lower()
        for form in self._forms:
            for length in range(min(len(form), len(end)), SHORTEST - 1, -1):
                if end.endswith(form[:length]):
                    return text[:-length] + MASK
        return text

    def value(self, value: Any) -> Any:
        """A JSON value without secrets in its texts, keys and numbers."""
        if isinstance(value, str):
            return MASK if value in self._values else self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, int | float | json_text.Literal) and not isinstance(value, bool):
            return MASK if len(shown := str(value)) >= SHORTEST and shown in self._values else value
        return value

    def body(self, text: str) -> str:
        """A body without secrets. JSON stays JSON, and stays as it was where there is nothing to mask."""
        if not self._suspects(text):
            return text
        try:
            value = json_text.loads(text)
            masked = self.value(value)
            return text if masked == value else json_text.dumps(masked, ascii=False)
        except (json_text.Malformed, RecursionError):
            return self.text(text)

    def _suspects(self, text: str) -> bool:
        """Whether it is worth looking closer: escapes hide a value from a plain search."""
        lower = text.lower()
        short = (value.lower() for value in self._values if len(value) < SHORTEST)
        return bool(self) and ("\\" in text or any(form in lower for form in (*self._forms, *short)))


NOTHING = Mask()

_current: contextvars.ContextVar[Mask] = contextvars.ContextVar("mask", default=NOTHING)


def current() -> Mask:
    """The mask of what this thread is at; every log line passes through it, whoever writes it."""
    return _current.get()


@contextmanager
def masking(mask: Mask) -> Iterator[None]:
    """Makes `mask` the current one."""
    before = _current.set(mask)
    try:
        yield
    finally:
        _current.reset(before)


def sensitive_values(named: Any) -> Iterator[str]:
    """The texts that stand under a sensitive name, anywhere in a JSON value: what nobody needs to be told."""
    if isinstance(named, Mapping):
        for name, value in named.items():
            if isinstance(value, str):
                if is_sensitive(name):
                    yield from _credentials(value)
            else:
                yield from sensitive_values(value)
    elif isinstance(named, list):
        for value in named:
            yield from sensitive_values(value)


def _credentials(value: str) -> Iterator[str]:
    """A sensitive value, and what follows its scheme: `Bearer abc` comes back as `abc` too."""
    # Short ones are flags and names, such as `"secret": "none"`.
    if len(value) >= 2 * SHORTEST:
        yield value
    rest = _SCHEME.sub("", value, count=1)
    if rest != value and len(rest) >= SHORTEST:
        yield rest


def _parts(value: str) -> Iterator[str]:
    """A secret, and the texts and numbers in it where it is JSON: secrets of type object are sent as their text."""
    yield value
    if value[:1] in ("{", "["):
        try:
            yield from _leaves(json_text.loads(value))
        except (json_text.Malformed, RecursionError):
            return


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif isinstance(value, str) or (not isinstance(value, bool) and value is not None and len(str(value)) >= SHORTEST):
        yield str(value)


def _forms(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    # A text inside JSON inside JSON, as `tojson` makes it.
    escaped |= {json.dumps(form)[1:-1] for form in escaped}
    encoded = {base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")}
    return {secret, html.escape(secret), *quoted, *escaped, *encoded}
