"""News in words: counts by target and reason, some ids, links. Nothing of a payload, and no secret."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from longshore.ledger.failure_groups import FailureGroups
from longshore.ledger.states import State
from longshore.notification.conditions import Condition
from longshore.notification.news import News

MAX_GROUPS = 10
MAX_NAMES = 10

_FOREIGN = re.compile(r"[^\w.:/\[\] +-]")
"""What an id or the name of a target needs not, and a chat could take for markup or a mention."""

_FAILURES = {State.DEAD: ("dead letter", "dead letters"), State.UNKNOWN: ("unknown outcome", "unknown outcomes")}
_SILENCES = {
    "workers": ("No worker runs", "Workers run again"),
    "reading": ("No ingest can read invocations", "Invocations are read again"),
    "overdue": ("An invocation is overdue", "No invocation is overdue"),
    "reports": ("Port takes no reports", "Port takes reports again"),
    "dead_letters": ("", "No dead letters are left"),
    "unknown_outcomes": ("", "No unknown outcomes are left"),
}
"""The name of a condition → what is said when it begins, and when it has ended."""


def compose(news: News, agent: str, flower_url: str) -> tuple[str, str]:
    """Title and text of the message. `agent` says which one it is; `flower_url` is Flower's address, or empty."""
    sections = [
        *(_describe_failures(failures, flower_url) for failures in news.failures),
        *_describe_breakers([each for each in news.beginnings if each.name.startswith("breaker ")], flower_url),
        *(_describe_silence(each) for each in news.beginnings if each.name in _SILENCES),
        *([f"Resolved:\n{_list([_describe_end(name) for name in news.endings], MAX_NAMES)}"] if news.endings else []),
    ]
    return f"Longshore {agent}: {', '.join(_headlines(news))}", "\n\n".join(sections)


def _headlines(news: News) -> Iterator[str]:
    for failures in news.failures:
        yield _count(failures)
    breakers = sum(each.name.startswith("breaker ") for each in news.beginnings)
    if breakers:
        yield "1 breaker open" if breakers == 1 else f"{breakers} breakers open"
    yield from (_SILENCES[each.name][0] for each in news.beginnings if each.name in _SILENCES)
    if news.is_good:
        yield "resolved"


def _count(failures: FailureGroups) -> str:
    count = failures.counts.total()
    one, many = _FAILURES[failures.state]
    return f"1 {one}" if count == 1 else f"{'more than ' if failures.has_more else ''}{count} {many}"


def _describe_failures(failures: FailureGroups, flower_url: str) -> str:
    groups = [
        f"{count} × {_clean(target)}: {_clean(reason)}" for (target, reason), count in failures.counts.most_common()
    ]
    ids = [f"{flower_url}/invocation/{quote(id)}" if flower_url else _clean(id) for id in failures.ids]
    lines = [f"{_count(failures)}:", _list(groups, MAX_GROUPS), f"Newest: {' '.join(ids)}"]
    if flower_url:
        lines.append(f"All: {flower_url}/dead-letters?state={failures.state.value}")
    return "\n".join(lines)


def _describe_breakers(breakers: Sequence[Condition], flower_url: str) -> Iterator[str]:
    if breakers:
        names = [_clean(each.name.removeprefix("breaker ")) for each in breakers]
        link = f"\nAll: {flower_url}/targets" if flower_url else ""
        yield f"Breakers open, so that little is sent there:\n{_list(names, MAX_NAMES)}{link}"


def _describe_silence(silence: Condition) -> str:
    detail = f" for {_clean(silence.detail)}" if silence.detail else ""
    return f"{_SILENCES[silence.name][0]}{detail}. `longshore doctor` and `longshore status` say more."


def _describe_end(name: str) -> str:
    if name.startswith("breaker "):
        return f"The breaker of {_clean(name.removeprefix('breaker '))} is closed"
    return _SILENCES[name][1] if name in _SILENCES else f"{_clean(name)} is over"  # another version began it


def _list(lines: Sequence[str], most: int) -> str:
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(f"- {line}" for line in [*lines[:most], *more])


def _clean(text: str) -> str:
    return _FOREIGN.sub("?", text)[:120]
