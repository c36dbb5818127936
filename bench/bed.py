"""What the rows share: the broker, a folder for everything they write, and progress on standard error."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bench.agent import Agent
from bench.broker import Broker
from longshore.runtime.embedded_redis import EmbeddedRedis


@dataclass
class Bed:
    """See above; `open_bed` makes one and cleans up."""

    folder: Path
    broker: Broker
    quick: bool = False
    """Leave out what takes minutes."""
    started: float = field(default_factory=time.monotonic)
    agents: int = 0
    failures: list[str] = field(default_factory=list)

    def agent(
        self,
        ports: int = 1,
        environ: Mapping[str, str] = MappingProxyType({}),
        redis: Callable[[Path], EmbeddedRedis] = EmbeddedRedis,
    ) -> Agent:
        """A new agent, with an empty Redis and topics of its own."""
        self.agents += 1
        return Agent(self.folder / f"bench{self.agents}", self.broker, ports, environ, redis)

    @contextmanager
    def failures_noted(self, what: str) -> Iterator[None]:
        """Notes that `what` could not be measured; the others go on."""
        try:
            yield
        except Exception as error:
            self.failures.append(f"{what}: {type(error).__name__}: {str(error)[-1000:]}")
            self.progress(f"FAILED {self.failures[-1]}")

    def progress(self, text: str) -> None:
        """A line for whoever waits."""
        print(f"{time.monotonic() - self.started:5.0f} s  {text}", file=sys.stderr, flush=True)


@contextmanager
def open_bed(quick: bool = False) -> Iterator[Bed]:
    """A bed; its broker ends and its folder goes with the block."""
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as name:
        broker = Broker(Path(name) / "kafka")
        try:
            yield Bed(Path(name), broker, quick)
        finally:
            broker.stop()
