"""What reports use of the outcome of an attempt: `longshore.delivery.Outcome` has it, and this room needs no more."""

from typing import Protocol


class ResponseFacts(Protocol):
    """What is used of a target's response."""

    @property
    def text(self) -> str:
        """The body as text, possibly cut."""

    @property
    def truncated(self) -> bool:
        """Whether `text` is less than the whole."""


class OutcomeFacts(Protocol):
    """What is used of the outcome of an attempt."""

    @property
    def status(self) -> int | None:
        """The HTTP status, if the target answered."""

    @property
    def cause(self) -> str:
        """What happened, in plain language and without secrets."""

    @property
    def redirected(self) -> str:
        """Where a redirect led that changed the request, and to what; empty for none."""

    @property
    def objection(self) -> str:
        """What follows the status in a sentence, such as why the mapping does not count it as a success; or empty."""

    @property
    def response(self) -> ResponseFacts | None:
        """The response, if there was one."""
