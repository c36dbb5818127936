"""Which error is behind an error: HTTP libraries wrap what happened several times."""

from collections.abc import Iterator
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def cause_of(error: BaseException, kind: type[E]) -> E | None:
    """The newest error of this `kind` among `error` and what it was raised from."""
    return next((each for each in causes(error) if isinstance(each, kind)), None)


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised from, newest first."""
    each: BaseException | None = error
    for _ in range(20):  # a chain may be circular
        if each is None:
            return
        yield each
        each = each.__cause__ or each.__context__
