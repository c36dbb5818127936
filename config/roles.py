"""The programs one agent is made of; the program that reads the settings decides which of them are required."""

from enum import StrEnum


class Role(StrEnum):
    """A program started from the console script. Programs of one agent share one environment."""

    RUN = "run"
    """The whole agent in one process tree, with an embedded Redis where `REDIS_URL` is empty."""

    INGEST = "ingest"
    """Reads Kafka (or polls) and fills the ledger."""

    WORKER = "worker"
    """Delivers, and reports to Port."""

    FLOWER = "flower"
    """Shows the fleet; needs Redis and the names in it, but no credentials of Port."""

    @property
    def reads_invocations(self) -> bool:
        """Whether the settings of ingest matter to it."""
        return self in (Role.RUN, Role.INGEST)

    @property
    def talks_to_port(self) -> bool:
        """Whether it needs the credentials of the Port API."""
        return self is not Role.FLOWER

    @property
    def delivers(self) -> bool:
        """Whether it calls targets, and needs what is shown to them."""
        return self in (Role.RUN, Role.WORKER)

    @property
    def brings_redis(self) -> bool:
        """Whether it can do without `REDIS_URL`."""
        return self is Role.RUN
