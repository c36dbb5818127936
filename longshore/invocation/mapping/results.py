"""What a mapping gives for a message, and how it can fail."""

from dataclasses import dataclass, field

from longshore.errors import ConfigError, LongshoreError
from longshore.invocation.body_format import BodyFormat


class MappingFileError(ConfigError):
    """The mapping file cannot be used: missing, no JSON, or against the schema. Names every entry and key at fault."""


class MappingFault(LongshoreError):
    """A mapping cannot be evaluated over this message; names the place in the file and the problem, never a value."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.place} {self.problem}"


@dataclass(frozen=True, slots=True)
class Route:
    """The mapping entry (from 0) that a message selects, and where it points before anything is decrypted.

    `url` is None where the entry gives none; that is the worker's to report. `order` is the key of those that are
    delivered one after the other; empty for none.
    """

    entry: int
    method: str
    url: str | None
    order: str = ""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No entry is enabled for the message: it is not for this agent."""


RouteResult = Route | Unmatched | MappingFault
"""What a message selects."""


@dataclass(frozen=True, slots=True)
class MappedRequest:
    """A request as the mapping wants it, before signature and Content-Type are added.

    `url` is None where the mapping gives none or an empty one. `query` comes after a query already in the url, a name
    may repeat. `body` is exactly the text to sign and send, in the format `body_format`; None is no body, which is
    signed as `null`.
    """

    method: str
    url: str | None = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    query: list[tuple[str, str]] = field(repr=False)
    body: str | None = field(repr=False)
    body_format: BodyFormat = BodyFormat.JSON
    host: str = ""
    """The `Host` to send in place of the URL's; empty for that."""

    @property
    def content_type(self) -> str:
        """That of a body, unless `headers` have one."""
        return self.body_format.content_type
