"""docs/reference/logging.md, from the table of log events."""

from itertools import groupby
from pathlib import Path

from longshore.log.event_log import Event
from longshore.log.events import REGISTRY

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "logging.md"

INTRODUCTION = """\
# Log events

<!-- Written by `make reference` from longshore/log/events.py; do not edit. -->

Every program writes one line per event to standard error: `key=value` pairs, or columns on a terminal. `time`, `level`,
`event` and `logger` come first, and `program` among those that `longshore run` starts; then what varies. Names are
fixed: search and alert on `event`. LOG_LEVEL is the lowest level that is written. Lines whose `event` is a sentence
are those of libraries (Celery, Flower). Secrets are shown as `***`, and no line contains a payload.

A warning may resolve itself. An error means that something was lost, cannot continue, or is a bug of the agent. Both
come with a remedy.
"""


def page() -> str:
    """The whole page: a table for each subject."""
    parts = [INTRODUCTION]
    for subject, events in groupby(sorted(REGISTRY.values(), key=_subject), key=_subject):
        parts.append(f"\n## {subject}\n\n| Event | Level | Meaning | What to do |\n| --- | --- | --- | --- |\n")
        parts += [f"| `{each.name}` | {each.level} | {each.meaning} | {each.remedy} |\n" for each in events]
    return "".join(parts)


def _subject(event: Event) -> str:
    return event.name.partition(".")[0]
