"""What is wrong with one of many that a script was asked for, while the others are all right."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import redis

from longshore.errors import LongshoreError, StoreUnavailable
from longshore.ledger.connection import says_not_now

_T = TypeVar("_T")


class LedgerFault(LongshoreError):
    """A script failed at this record: somebody else has changed it or its keys. Nothing was done; a lease lapses."""

    def __init__(self, operation: str, problem: str) -> None:
        super().__init__(operation, problem)
        self.operation = operation
        self.problem = problem

    def __str__(self) -> str:
        return f"the ledger's record is broken, {self.operation} failed at it: {self.problem}"


def with_faults(operation: str, answers: Iterable[Any]) -> Iterator[Any]:
    """`answers` of a script, its errors among them as `LedgerFault`.

    Raises `StoreUnavailable` if one says that Redis cannot be used now: that is true for all of them.
    """
    for answer in answers:
        if not isinstance(answer, redis.RedisError):
            yield answer
        elif says_not_now(answer):
            raise StoreUnavailable(type(answer).__name__, str(answer)[:200])
        else:
            yield LedgerFault(operation, str(answer)[:200])


def only(answers: Sequence[_T | LongshoreError]) -> _T:
    """The answer to a call for one. Raises it if it is an error."""
    (answer,) = answers
    if isinstance(answer, LongshoreError):
        raise answer
    return answer
