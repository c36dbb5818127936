"""Under which id the ledger keeps an invocation: the same at each reading, as repeats are recognised by it."""

import hashlib
import re

_SAFE = re.compile(r"[\x21-\x7e]{1,200}")
"""Run ids that Redis keys, Celery task ids and log lines take as they are. Port's own all are."""


def run_id(run: str) -> str:
    """The id of a run: Port's own where it is plain, otherwise a hash of it."""
    if _SAFE.fullmatch(run):
        return run
    return "x-" + hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def event_id(key: str) -> str:
    """The id of a change log event, which has none of its own: the `key` of its record in the source."""
    return f"cl.{key}"


def refused_id(key: str) -> str:
    """The id of what is not proven to come from Port: never the run id it claims, but the `key` of its record.

    Otherwise anybody who can write to the topic could take the place of a run that is still to come.
    """
    return f"bad.{key}"
