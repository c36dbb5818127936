"""Rows `start`, `idle`, `command`: how long `longshore run` and a command take, and what an idle agent holds."""

import subprocess
import time
from collections.abc import Collection, Iterator

from bench.agent import PATIENCE_S, Agent
from bench.bed import Bed
from bench.cost import family, resident_mb, shared_fairly_mb
from bench.measure import Measure
from tests.support.programs import SCRIPT, at_home, eventually

ROWS = ("start", "idle", "command")
IDLE_S = 5.0
COMMANDS = (("status",), ("dlq", "list"), ("targets", "list"))


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """One agent for the commands, and a fresh one for each start."""
    starts_s: list[float] = []
    commands_s: list[float] = []
    idle_mb: list[float] = []
    resident: list[float] = []
    for run in range(runs):
        bed.progress(f"start, idle: run {run + 1} of {runs}")
        with bed.agent() as agent:
            starts_s.append(time_start(agent))
            time.sleep(IDLE_S)
            pid = agent.programs["run"].process.pid
            idle_mb.append(shared_fairly_mb(pid))
            resident.append(sum(resident_mb(member) for member in family(pid)))
            commands_s = time_commands(agent) if "command" in rows and not run else commands_s
    yield Measure("start", starts_s, "a message waits in Kafka; until it arrives at the target")
    note = f"all processes with Redis, shared pages once; {max(resident):.0f} MB where each counts them"
    yield Measure("idle", idle_mb, note)
    if "command" in rows:
        yield Measure("command", commands_s, "longshore " + ", ".join(" ".join(command) for command in COMMANDS))


def time_start(agent: Agent) -> float:
    """Seconds from the start of `longshore run`, with its own Redis, to the first delivery."""
    agent.publish("event", [agent.target.url()])
    start = time.monotonic()
    agent.run(REDIS_URL="")
    eventually(lambda: agent.target.stats()["answers"], "the first delivery", PATIENCE_S, every_s=0.01)
    return time.monotonic() - start


def time_commands(agent: Agent) -> list[float]:
    """Seconds of each command."""
    times = []
    for command in COMMANDS:
        start = time.monotonic()
        subprocess.run(
            [str(SCRIPT), *command],
            cwd=agent.folder,
            env=at_home(agent.folder, agent.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
        )
        times.append(time.monotonic() - start)
    return times
