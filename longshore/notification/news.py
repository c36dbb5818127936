"""What a destination has not heard yet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from longshore.ledger.failure_groups import FailureGroups
from longshore.notification.conditions import Condition
from longshore.notification.kinds import FAILED_STATES
from longshore.notification.progress import Progress

KINDS = {state: kind for kind, state in FAILED_STATES.items()}


@dataclass(frozen=True, slots=True)
class News:
    """The content of one message."""

    failures: Sequence[FailureGroups]
    """Of each state in which something failed."""
    beginnings: Sequence[Condition]
    endings: Sequence[str]
    """The names of conditions, `dead_letters` and `unknown_outcomes`: none is left."""

    @property
    def is_good(self) -> bool:
        """Whether something ended, and nothing else is to be told."""
        return not self.failures and not self.beginnings

    def __bool__(self) -> bool:
        return bool(self.failures or self.beginnings or self.endings)


def compile_news(
    progress: Progress,
    failures: Sequence[FailureGroups],
    conditions: Sequence[Condition],
    remaining: Collection[str],
) -> tuple[News, set[str]]:
    """The news, and what is open once it is told.

    `conditions` are those of which people are to be told; `remaining` are the names of those that hold, long enough or
    not, and the kinds of failures of which there are any.
    """
    beginnings = [condition for condition in conditions if condition.name not in progress.open]
    endings = [name for name in progress.open if name not in remaining]
    now_open = {*progress.open, *(each.name for each in beginnings), *(KINDS[each.state] for each in failures)} - set(
        endings
    )
    return News(failures, beginnings, endings), now_open
