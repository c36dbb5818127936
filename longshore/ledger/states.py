"""Where an invocation stands, who moves it on, and every move there is; and the same of a requeue job.

The scripts get `MOVES` too and refuse any other move, so this module is the truth for both languages. No other module
and no script writes the name of a state that is not in here: `tests/unit/ledger/test_state_names.py`.
"""

from enum import StrEnum


class State(StrEnum):
    """Where an invocation stands, and who moves it on."""

    HELD = "held"
    """Stored but not yet acknowledged to Port (polling). The acknowledgement moves it on."""

    WAITING = "waiting"
    """In its lane, due at a time. Any pump may claim it from then on."""

    CLAIMED = "claimed"
    """A Celery message with its token is on its way, nothing has been sent. If the lease lapses, back to its lane."""

    BEGUN = "begun"
    """A worker may have sent bytes. If the lease lapses, the unknown-outcome policy decides."""

    DONE = "done"
    """The target accepted it. Only an operator's replay moves it on; the record expires."""

    DEAD = "dead"
    """Given up, with a reason. Only an operator's requeue moves it on."""

    UNKNOWN = "unknown"
    """Sent and never answered: the target may have acted on it. A late answer or an operator's requeue moves it on."""


MOVES: frozenset[tuple[State, State]] = frozenset(
    {
        (State.HELD, State.WAITING),
        (State.HELD, State.DEAD),
        (State.WAITING, State.CLAIMED),
        (State.CLAIMED, State.WAITING),
        (State.CLAIMED, State.BEGUN),
        (State.BEGUN, State.WAITING),
        (State.BEGUN, State.DONE),
        (State.BEGUN, State.DEAD),
        (State.BEGUN, State.UNKNOWN),
        # A worker presumed dead answers after all, and nobody has begun it again.
        (State.WAITING, State.DONE),
        (State.WAITING, State.DEAD),
        (State.CLAIMED, State.DONE),
        (State.CLAIMED, State.DEAD),
        (State.UNKNOWN, State.DONE),
        (State.UNKNOWN, State.DEAD),
        # A late answer that proves nothing was done, or an operator's requeue.
        (State.UNKNOWN, State.WAITING),
        (State.DEAD, State.WAITING),
        # An operator's replay of what was delivered.
        (State.DONE, State.WAITING),
    }
)
"""Every move a script may make. All others raise inside Redis and change nothing."""

FAILED_STATES = (State.DEAD, State.UNKNOWN)
"""Final states that wait for an operator's decision, in the order in which they are listed. Each has a sorted set."""

FINAL_STATES = (State.DONE, *FAILED_STATES)
"""States in which no pump looks at the invocation again."""


class JobState(StrEnum):
    """Where a requeue job stands, and who moves it on."""

    CANARY = "canary"
    """Workers send the first few."""

    WATCHING = "watching"
    """The first few are sent; workers wait until all of them have ended."""

    RUNNING = "running"
    """Workers send the rest, at the job's rate."""

    PAUSED = "paused"
    """An operator holds it; `resume` moves it on."""

    STOPPED = "stopped"
    """One of the first few failed again. Only an operator's `resume` moves it on."""

    DONE = "done"
    """All of its list was sent. It expires."""


def lua_table() -> str:
    """`MOVES` as a Lua string that the scripts search: a Lua table would be rebuilt by each call."""
    pairs = " ".join(f"{a.value}>{b.value}" for a, b in sorted(MOVES))
    return f"local MOVES = ' {pairs} '\n"
