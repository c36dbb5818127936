"""Masks secret values in everything that people read: log lines, texts for Port, dead letters.

Secrets are matched by value, because a decrypted input can come back in places that nobody can list: a target's answer,
its error page, a report expression. Values are also matched in the spellings that programs give them (`spellings.py`).
The cost is bounded: a text that would take too long to search is masked as a whole.
"""

import contextvars
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from longshore.invocation import json_text
from longshore.invocation.mask_spans import MASK, cover_spans, find_cut_span, find_spans
from longshore.invocation.spellings import MIN_CHARS, Spellings, fold, resolve_escapes

MAX_WORK = 100_000_000
"""Secrets times characters: a hundred secrets in an answer of a megabyte, which take some tenths of a second."""

_TEXT_OVERHEAD, _SECRET_OVERHEAD = 64, 1000
"""What one more text, and the probes of one more secret, cost, in characters."""


class Mask:
    """Replaces some secret values by `***`. Without values it changes nothing.

    `values` are certainly secret. `guessed` only have a sensitive name, such as `"secret": "platform"`: they are masked
    in texts for people. `certain` is the mask without them, for what has to work: a link, an id, a status.
    """

    def __init__(self, values: Iterable[str] = (), guessed: Iterable[str] = ()) -> None:
        self._values = frozenset(part for value in values for part in _secret_parts(value) if part)
        self._guessed = frozenset(filter(None, guessed))
        self._index({})

    def _index(self, spellings: dict[str, Spellings]) -> None:
        """`spellings` are those that other masks have for some of the values."""
        self._guessed -= self._values
        self._all_values = self._values | self._guessed
        self._spellings = {
            value: spellings.get(value) or Spellings(value) for value in self._all_values if len(value) >= MIN_CHARS
        }
        self._has_short_values = len(self._spellings) < len(self._all_values)
        self._min_chars = min(map(len, self._spellings), default=0)

    @classmethod
    def _merge(cls, values: frozenset[str], guessed: frozenset[str], spellings: dict[str, Spellings]) -> "Mask":
        mask = cls.__new__(cls)
        mask._values, mask._guessed = values, guessed
        mask._index(spellings)
        return mask

    def __repr__(self) -> str:
        return f"Mask({len(self._all_values)} values)"

    def __add__(self, other: "Mask") -> "Mask":
        """A mask for the values of both."""
        if not self or not other:
            return self or other
        spellings = self._spellings | other._spellings
        return self._merge(self._values | other._values, self._guessed | other._guessed, spellings)

    def __bool__(self) -> bool:
        return bool(self._all_values)

    def covers(self, other: "Mask") -> bool:
        """Whether it masks all that `other` does."""
        return other._all_values <= self._all_values

    @cached_property
    def certain(self) -> "Mask":
        """The mask of those values alone that are certainly secret."""
        return self._merge(self._values, frozenset(), self._spellings) if self._guessed else self

    def text(self, text: str) -> str:
        """`text` without secrets."""
        forms = self._forms_in(folded_text := fold(text))
        if not forms:
            return text if forms is not None else MASK
        return cover_spans(text, find_spans(folded_text, forms))

    def cut_text(self, text: str) -> str:
        """`text` without secrets, of which the last may have been cut off in its middle."""
        folded_text = fold(text)
        forms = self._forms_in(folded_text)
        if forms is None:
            return MASK
        all_forms = [form for secret_spellings in self._spellings.values() for form in secret_spellings.forms]
        return cover_spans(text, [*find_spans(folded_text, forms), *find_cut_span(folded_text, all_forms)])

    def value(self, value: Any) -> Any:
        """A JSON value without secrets in its texts, keys and numbers."""
        texts = list(_iterate_texts(value))
        forms = self._forms_in(fold("\n".join(texts)))
        # Only forms that occur somewhere in the texts are searched in each of them.
        if forms is None or len(forms) * (sum(map(len, texts)) + _TEXT_OVERHEAD * len(texts)) > 5 * MAX_WORK:
            return MASK
        return self._value(value, forms)

    def body(self, text: str) -> str:
        """A body without secrets. JSON stays JSON, and stays as it was where there is nothing to mask."""
        if not self.may_change(text, len(text)):
            return text
        try:
            # A repeated key is part of the text, though not of its value.
            members = json_text.loads(text, keep_repeated=True)
            if self.value(members) == members:
                return text
            return json_text.dumps(self.value(json_text.loads(text)), ascii=False)
        except (json_text.Malformed, RecursionError):
            return self._escaped_text(text)

    def _escaped_text(self, text: str) -> str:
        """`text` without secrets where it is no JSON, but may be made of some: many documents, or one that is deep."""
        masked = self.text(text)
        resolved = resolve_escapes(masked)
        return masked if resolved == masked or not self._forms_in(fold(resolved)) else self.text(resolved)

    def _value(self, value: Any, forms: Sequence[str]) -> Any:
        if isinstance(value, str):
            return (
                MASK
                if value in self._all_values
                else cover_spans(value, find_spans(fold(value), forms))
                if forms
                else value
            )
        if isinstance(value, dict):
            return {self._key(key, forms): self._value(item, forms) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, forms) for item in value]
        if _is_number(value):
            return MASK if len(digits := str(value)) >= MIN_CHARS and digits in self._all_values else value
        return value

    def _key(self, key: str, forms: Sequence[str]) -> str:
        return cover_spans(key, find_spans(fold(key), forms)) if forms else key

    def _forms_in(self, folded_text: str) -> list[str] | None:
        """The spellings that are in a folded text; None where finding that out would cost too much."""
        if len(folded_text) < self._min_chars:
            return []
        if self._is_too_costly(folded_text):
            return None
        return [
            form
            for each in self._spellings.values()
            if each.may_be_in(folded_text, len(folded_text))
            for form in each.forms
            if form in folded_text
        ]

    def _is_too_costly(self, folded_text: str) -> bool:
        return len(self._spellings) * (len(folded_text) + _SECRET_OVERHEAD) > MAX_WORK

    def may_change(self, text: str, max_chars: int) -> bool:
        r"""Whether it is worth looking closer at a body or text, or at many in one, of at most `max_chars` each.

        Never False where `body` or `text` would change any. Escapes hide a value from a plain search; but of all of
        them only `\u` stands for a letter or a digit, and only `\/` for anything else in base64.
        """
        if self._has_short_values:
            if "\\" in text or any(value in text for value in self._all_values if len(value) < MIN_CHARS):
                return True
        elif max_chars < self._min_chars or not self:
            return False
        elif "\\" in text and ("\\u" in text or "\\/" in text):
            return True
        folded_text = fold(text)
        return self._is_too_costly(folded_text) or any(
            each.may_be_in(folded_text, max_chars) for each in self._spellings.values()
        )


NOTHING = Mask()

_current: contextvars.ContextVar[Mask] = contextvars.ContextVar("mask", default=NOTHING)


def current_mask() -> Mask:
    """The mask of this thread's or task's context; every log line passes through it."""
    return _current.get()


@contextmanager
def use_mask(mask: Mask) -> Iterator[None]:
    """Makes `mask` the current one."""
    before = _current.set(mask)
    try:
        yield
    finally:
        _current.reset(before)


def _iterate_texts(value: Any) -> Iterator[str]:
    """All texts and keys of a JSON value."""
    for item in _iterate_values(value):
        if isinstance(item, dict):
            yield from item
        elif isinstance(item, str):
            yield item


def _secret_parts(value: str) -> Sequence[str]:
    """A secret, and the texts and numbers in it where it is JSON: secrets of type object are sent as their text."""
    if value[:1] not in ("{", "["):
        return (value,)
    try:
        leaves = list(_iterate_values(json_text.loads(value)))
    except (json_text.Malformed, RecursionError):
        return (value,)
    texts = [leaf for leaf in leaves if isinstance(leaf, str)]
    return [value, *texts, *(str(leaf) for leaf in leaves if _is_number(leaf) and len(str(leaf)) >= MIN_CHARS)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | json_text.Literal) and not isinstance(value, bool)


def _iterate_values(value: Any) -> Iterator[Any]:
    """A JSON value and everything in it, however deep."""
    pending = [value]
    while pending:
        yield (item := pending.pop())
        if isinstance(item, dict | list):
            pending += item.values() if isinstance(item, dict) else item
