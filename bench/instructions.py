"""Row `instructions`: user-space instructions of worker and Redis for a change log event, counted by callgrind.

Counts do not depend on the load of the machine, so the worker of one agent and the Redis of another are counted at the
same time. Under valgrind they are some fifty times slower, so timeouts are long and the timers of the others few; their
start is not counted. jq is a process of its own and not counted. Left out where valgrind is missing.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.agent import Agent
from bench.bed import Bed
from bench.measure import Measure
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.programs import SCRIPT, eventually

ROWS = ("instructions",)
WARM, COUNT = 50, 400
IDLE_S = 8.0
PATIENCE_S = 400.0
ENVIRON = {
    "TARGET_CONCURRENCY": "400",
    "LANE_CONCURRENCY": "400",
    "LEASE_S": "300",
    "WEBHOOK_INVOKER_TIMEOUT": "300",
    "LIVENESS_S": "3000",
    "PUMP_INTERVAL_S": "2",
    # Under valgrind a larger batch could take Redis longer than its clients wait.
    "KAFKA_BATCH_SIZE": "100",
}
OUTPUT = "callgrind.out"
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


class CountedRedis(EmbeddedRedis):
    """A Redis whose instructions are counted when told to."""

    def argv(self) -> list[str]:
        """Its command line, under valgrind."""
        return [*callgrind(self.data_dir), *super().argv()]


def callgrind(folder: Path) -> Sequence[str]:
    """What a command is prefixed with; counting is off at first. Its pipes are where `control` looks for them."""
    files = (f"--callgrind-out-file={folder / OUTPUT}", f"--vgdb-prefix={folder / 'vgdb'}")
    return ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet", *files)


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """One run each: counts repeat within a few percent."""
    if bed.quick or shutil.which("valgrind") is None:
        bed.progress("instructions: left out (quick, or no valgrind)")
        return
    note = f"{COUNT} events, callgrind"
    bed.progress("instructions: a worker and another agent's Redis under valgrind")
    with bed.agent(environ=ENVIRON) as one, bed.agent(environ=ENVIRON, redis=CountedRedis) as other:
        for agent in (one, other):
            agent.start("ingest")
        worker = one.start("worker", command=(*callgrind(one.folder), sys.executable, str(SCRIPT)))
        other.start("worker")
        assert other.redis.process is not None
        pids = (worker.process.pid, other.redis.process.pid)
        with ThreadPoolExecutor(2) as pool:
            counts = pool.map(count, (one, other), (one.folder, other.redis.data_dir), pids)
            for name, instructions in zip(("event_worker", "event_redis"), counts, strict=True):
                yield Measure(name, [instructions / 1000], note)


def count(agent: Agent, folder: Path, pid: int) -> float:
    """Instructions of process `pid` for an event, without those that timers cost; callgrind writes into `folder`."""
    agent.publish("event", [agent.target.url()] * WARM)
    await_done(agent, WARM)
    with counted(folder, pid) as drain:
        agent.publish("event", [agent.target.url()] * COUNT)
        await_done(agent, WARM + COUNT)
    with counted(folder, pid) as idle:
        time.sleep(IDLE_S)
    return (drain.instructions - idle.instructions * drain.seconds / idle.seconds) / COUNT


@dataclass
class Counted:
    """What a process executed in a block, and how long that took."""

    instructions: int = 0
    seconds: float = 0.0


@contextmanager
def counted(folder: Path, pid: int) -> Iterator[Counted]:
    """Counts in the block; complete after it."""
    found, before = Counted(), read_total(folder)
    control(folder, pid, "instrumentation", "on")
    start = time.monotonic()
    yield found
    found.seconds = time.monotonic() - start
    control(folder, pid, "instrumentation", "off")
    control(folder, pid, "dump")  # which sets the counters to 0
    eventually(lambda: read_total(folder) > before, "callgrind has written", 60)
    found.instructions = read_total(folder) - before


def await_done(agent: Agent, number: int) -> None:
    """Until so many are delivered. Redis is asked only at the end, as its answers count."""
    eventually(lambda: agent.target.stats()["answers"] >= number, f"{number} answers", PATIENCE_S, every_s=0.5)
    eventually(lambda: agent.count() >= number, f"{number} delivered", PATIENCE_S, every_s=0.5)


def control(folder: Path, pid: int, *what: str) -> None:
    """Tells callgrind to switch counting, or to write."""
    command = ["vgdb", f"--vgdb-prefix={folder / 'vgdb'}", f"--pid={pid}", *what]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)


def read_total(folder: Path) -> int:
    """Instructions of all dumps in `folder`; 0 where there is none yet."""
    texts = [file.read_text(errors="replace") for file in folder.glob(f"{OUTPUT}.*")]
    return sum(int(total) for text in texts for total in TOTALS.findall(text))
