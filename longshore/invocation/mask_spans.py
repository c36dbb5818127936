"""Finds folded spellings of secrets in a folded text, and covers their spans with the mask."""

from collections.abc import Iterable, Iterator

from longshore.invocation.spellings import MIN_CHARS

MASK = "***"
"""Replaces a secret."""

_HEAD_CHARS = 64
"""Characters of the prefix with which a secret is searched at the end of a cut text."""

_MAX_CANDIDATES = 16
"""Most matches of the prefix that are compared in full; one more, in a repetitive text, counts as the secret."""

Span = tuple[int, int]
"""Start and end of a match, in characters."""


def find_spans(folded_text: str, forms: Iterable[str]) -> Iterator[Span]:
    """The spans of all forms. Not by one regular expression: a hostile text could make that take exponential time."""
    for form in forms:
        at = folded_text.find(form)
        while at >= 0:
            yield at, at + len(form)
            at = folded_text.find(form, at + len(form))


def find_cut_span(folded_text: str, forms: Iterable[str]) -> Iterator[Span]:
    """The longest prefix of a form with which the text ends; a character that was cut has become U+FFFD there."""
    end = len(folded_text.rstrip("\N{REPLACEMENT CHARACTER}"))
    start = min((at for form in forms if (at := _find_cut_start(folded_text, form, end)) is not None), default=None)
    if start is not None:
        yield start, len(folded_text)


def _find_cut_start(folded_text: str, form: str, end: int) -> int | None:
    """Where a prefix of `form` starts that lasts until `end`. Takes time in proportion to the length of `form` only."""
    first = max(0, end - len(form))
    head, candidates = form[:_HEAD_CHARS], 0
    at = folded_text.find(head, first, end)
    while at >= 0:
        candidates += 1
        if candidates > _MAX_CANDIDATES or form.startswith(folded_text[at:end]):
            return at
        at = folded_text.find(head, at + 1, end)
    lengths = range(min(len(head), end), MIN_CHARS - 1, -1)
    return next((end - length for length in lengths if folded_text.endswith(form[:length], 0, end)), None)


def cover_spans(text: str, spans: Iterable[Span]) -> str:
    """`text` with the mask in place of each span, and one mask where they overlap."""
    parts, end_of_last = [], 0
    for start, end in sorted(spans):
        if start >= end_of_last:
            parts += [text[end_of_last:start], MASK]
        end_of_last = max(end_of_last, end)
    return "".join((*parts, text[end_of_last:]))
