"""Keeps secret values out of whatever people read: log lines, texts for Port, dead letters.

By value, because a secret input that was decrypted for one request comes back in places nobody can list: a target's
answer, its error page, a report expression. A value is also found in the spellings it takes on the way
(`spellings.py`). What it costs is bounded: a text that would cost too much to look through is masked as a whole.
"""

import contextvars
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from longshore.invocation import json_text
from longshore.invocation.spellings import SHORTEST, Spelled, fold

MASK = "***"
"""What stands in place of a secret."""

MAX_WORK = 100_000_000
"""Secrets times characters: a hundred secrets in an answer of a megabyte, which take some tenths of a second."""

_PER_TEXT, _PER_SECRET = 64, 1000
"""Characters that one more text, and making the probes of one more secret, are worth."""

_HEAD = 64
"""Characters by which the beginning of a secret is found at the end of a cut text."""

_MAX_CANDIDATES = 16
"""Such beginnings that are compared; one more, in a text that repeats itself, is taken for the secret."""

Span = tuple[int, int]


class Mask:
    """Replaces some secret values by `***`. Without values it changes nothing.

    `values` are secret for sure. `guessed` are only announced by a name, such as `"secret": "platform"`: they are
    masked in texts for people, and `certain` is the mask for what has to work: a link, an id, a status.
    """

    def __init__(
        self, values: Iterable[str] = (), guessed: Iterable[str] = (), made: Mapping[str, Spelled] | None = None
    ) -> None:
        """`made` holds what another mask has made of the same values."""
        self._values = frozenset(part for value in values for part in _parts(value) if part)
        self._guessed = frozenset(value for value in guessed if value) - self._values
        self._all = self._values | self._guessed
        self._long = [value for value in self._all if len(value) >= SHORTEST]
        self._made = made or {}

    def __repr__(self) -> str:
        return f"Mask({len(self._all)} values)"

    def __add__(self, other: "Mask") -> "Mask":
        """A mask for the values of both."""
        if not self or not other:
            return self or other
        return Mask(self._values | other._values, self._guessed | other._guessed, self._secrets | other._secrets)

    def __bool__(self) -> bool:
        return bool(self._all)

    @cached_property
    def _secrets(self) -> dict[str, Spelled]:
        return {value: self._made.get(value) or Spelled(value) for value in self._long}

    @cached_property
    def certain(self) -> "Mask":
        """The mask of those values alone that are secret for sure."""
        return Mask(self._values, (), self._secrets) if self._guessed else self

    def text(self, text: str) -> str:
        """`text` without secrets."""
        forms = self._forms_in(folded := fold(text))
        if not forms:
            return text if forms is not None else MASK
        return _covered(text, _spans(folded, forms))

    def cut_text(self, text: str) -> str:
        """`text` without secrets, of which the last may have been cut off in its middle."""
        folded = fold(text)
        forms = self._forms_in(folded)
        if forms is None:
            return MASK
        every = [form for secret in self._secrets.values() for form in secret.forms]
        return _covered(text, [*_spans(folded, forms), *_cut_span(folded, every)])

    def value(self, value: Any) -> Any:
        """A JSON value without secrets in its texts, keys and numbers."""
        texts = list(_texts(value))
        forms = self._forms_in(fold("\n".join(texts)))
        # What is in none of the texts needs no looking for in each of them.
        if forms is None or len(forms) * (sum(map(len, texts)) + _PER_TEXT * len(texts)) > 5 * MAX_WORK:
            return MASK
        return self._value(value, forms)

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

    def _value(self, value: Any, forms: Sequence[str]) -> Any:
        if isinstance(value, str):
            return MASK if value in self._all else _covered(value, _spans(fold(value), forms)) if forms else value
        if isinstance(value, dict):
            return {self._key(key, forms): self._value(item, forms) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, forms) for item in value]
        if _is_number(value):
            return MASK if len(shown := str(value)) >= SHORTEST and shown in self._all else value
        return value

    def _key(self, key: str, forms: Sequence[str]) -> str:
        return _covered(key, _spans(fold(key), forms)) if forms else key

    def _forms_in(self, folded: str) -> list[str] | None:
        """The spellings that may be in a folded text; None where finding that out would cost too much."""
        if len(self._long) * (len(folded) + _PER_SECRET) > MAX_WORK:
            return None
        present = (secret.forms for secret in self._secrets.values() if secret.may_be_in(folded))
        return [form for forms in present for form in forms if form in folded]

    def _suspects(self, text: str) -> bool:
        """Whether it is worth looking closer: escapes hide a value from a plain search."""
        if not self or "\\" in text:
            return bool(self)
        return self._forms_in(fold(text)) != [] or any(value in text for value in self._all if len(value) < SHORTEST)


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


def _spans(folded: str, forms: Iterable[str]) -> Iterator[Span]:
    """Where the forms stand. Not by one regular expression: a text may be made to let that take for ever."""
    for form in forms:
        at = folded.find(form)
        while at >= 0:
            yield at, at + len(form)
            at = folded.find(form, at + len(form))


def _cut_span(folded: str, forms: Iterable[str]) -> Iterator[Span]:
    """The longest beginning of a form with which the text ends; a cut character has left a replacement there."""
    end = len(folded.rstrip("\N{REPLACEMENT CHARACTER}"))
    start = min((at for form in forms if (at := _cut_at(folded, form, end)) is not None), default=None)
    if start is not None:
        yield start, len(folded)


def _cut_at(folded: str, form: str, end: int) -> int | None:
    """Where a beginning of `form` begins that lasts until `end`, in time that grows with its length alone."""
    first = max(0, end - len(form))
    head, candidates = form[:_HEAD], 0
    at = folded.find(head, first, end)
    while at >= 0:
        candidates += 1
        if candidates > _MAX_CANDIDATES or form.startswith(folded[at:end]):
            return at
        at = folded.find(head, at + 1, end)
    lengths = range(min(len(head), end), SHORTEST - 1, -1)
    return next((end - length for length in lengths if folded.endswith(form[:length], 0, end)), None)


def _covered(text: str, spans: Iterable[Span]) -> str:
    """`text` with the mask in place of each span, and one mask where they overlap."""
    parts, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _texts(value: Any) -> Iterator[str]:
    """All texts and keys of a JSON value."""
    for item in _items(value):
        if isinstance(item, dict):
            yield from item
        elif isinstance(item, str):
            yield item


def _parts(value: str) -> Iterator[str]:
    """A secret, and the texts and numbers in it where it is JSON: secrets of type object are sent as their text."""
    yield value
    if value[:1] in ("{", "["):
        try:
            leaves = _items(json_text.loads(value))
        except (json_text.Malformed, RecursionError):
            return
        for leaf in leaves:
            if isinstance(leaf, str):
                yield leaf
            elif _is_number(leaf) and len(str(leaf)) >= SHORTEST:
                yield str(leaf)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | json_text.Literal) and not isinstance(value, bool)


def _items(value: Any) -> Iterator[Any]:
    """A JSON value and everything in it, however deep."""
    waiting = [value]
    while waiting:
        yield (item := waiting.pop())
        if isinstance(item, dict | list):
            waiting += item.values() if isinstance(item, dict) else item
