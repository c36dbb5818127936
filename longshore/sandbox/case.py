"""One message of the sandbox, and how it should end."""

from __future__ import annotations

from dataclasses import dataclass, field

from longshore.ledger.states import State

IN_PROGRESS, SUCCESS, FAILURE = "IN_PROGRESS", "SUCCESS", "FAILURE"
"""Port's states of a run; an asynchronous one stays in progress until its backend reports."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """How an invocation should end.

    `state` is the ledger's, or `skipped` (nothing for us, so no record), or `repeated` (a copy of one that has a
    record). `attempts` None is any number. `reason` is checked for dead letters and unknown outcomes. `port` is Port's
    state of the run, None if Port must not hear of it.
    """

    state: str
    attempts: int | None = 0
    port: str | None = None
    reason: str = ""
    earlier_attempts: int = 0
    """Attempts before a person sends it again; 0 if nobody does."""

    @property
    def summary(self) -> str:
        """For the table, short."""
        attempts_text = f"in {self.attempts}" if self.attempts else ""
        port_text = f"Port {self.port}" if self.port else ""
        requeue_text = f"{self.earlier_attempts} failed, sent again:" if self.earlier_attempts else ""
        outcome = " ".join(word for word in (requeue_text, self.state, self.reason, attempts_text) if word)
        return ", ".join(part for part in (outcome, port_text) if part)


@dataclass(frozen=True, slots=True)
class Case:
    """One message: its title (short: some terminals are narrow), its Kafka value, and how it should end."""

    title: str
    value: bytes | None = field(repr=False)
    expectation: Expectation
    run_id: str = ""
    """Port's id of the run; empty for change log events and for what is no run at all."""
    change_log: bool = False


def expect_done(attempts: int | None = 1, port: str | None = IN_PROGRESS) -> Expectation:
    """Delivered with the attempt of this number."""
    return Expectation(State.DONE, attempts, port)


def expect_dead(reason: str, attempts: int | None, port: str | None = FAILURE) -> Expectation:
    """A dead letter after this many attempts."""
    return Expectation(State.DEAD, attempts, port, reason)


def expect_unknown(reason: str, attempts: int = 1, port: str | None = IN_PROGRESS) -> Expectation:
    """Sent, never answered, and not sent again."""
    return Expectation(State.UNKNOWN, attempts, port, reason)


def expect_requeue(earlier_attempts: int, port: str | None = FAILURE) -> Expectation:
    """Given up after so many attempts, then delivered with the first attempt after a person has sent it again."""
    return Expectation(State.DONE, 1, port, earlier_attempts=earlier_attempts)


SKIPPED = Expectation("skipped")
