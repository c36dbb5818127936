"""Runs an agent for hours under a steady load, and looks whether anything grows: `make soak HOURS=8`.

`longshore run` with a real Kafka and a Redis, a target and a Port; deliveries are kept for a minute only, so that what
Redis holds is soon as much as it will ever be. Every few seconds: memory, file descriptors and threads of each process,
keys and memory of Redis. At the end the slope of each, and whether a key of an invocation is left after its retention.
Writes a JSON file and docs/images/soak.svg; returns 1 where something grew, was left or was not delivered.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from bench import machine
from bench.agent import Agent
from bench.bed import open_bed
from bench.soak_curves import Curves
from bench.soak_picture import draw
from longshore.log import events
from tests.support.programs import eventually

KEEP_S = 60
SAMPLE_S = 3.0
PATIENCE_S = 300.0
OF_AN_INVOCATION = ("inv", "pay", "att", "out", "first")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "soak.svg"
PROGRAMS = ("ingest", "worker")
MIB = 1024 * 1024


def main() -> int:
    """Runs and writes; returns the exit code."""
    options = parse()
    seconds = options.hours * 3600
    kept = {name: str(KEEP_S) for name in ("KEEP_DONE_S", "KEEP_PAYLOAD_S", "KEEP_DEAD_S")}
    curves, facts = Curves(), machine.describe()
    with open_bed() as bed, bed.agent(environ=kept) as agent:
        program = agent.run()
        eventually(lambda: events.INGEST_STARTED.name in program.log(), "ingest reads", PATIENCE_S)
        before = agent.access.ledger.redis.dbsize()
        published = load(agent, seconds, options.rate, curves)
        bed.progress(f"{published} published")
        agent.wait_done(published)
        eventually(lambda: not left(agent), lambda: f"left: {left(agent)}", PATIENCE_S, every_s=1)
        after = agent.access.ledger.redis.dbsize()
    slopes = curves.slopes()
    found = {
        "seconds": seconds,
        "per second": options.rate,
        "published": published,
        "keys before": before,
        "keys after": after,
        "machine": facts,
        "growing": sorted(name for name, slope in slopes.items() if slope.is_growing),
        "slopes": {name: slope.as_json() for name, slope in slopes.items()},
        "samples": curves.as_json(),
    }
    options.out.write_text(json.dumps(found, indent=1))
    caption = f"{options.rate:g} runs a second for {seconds / 60:g} minutes, each kept for {KEEP_S} s"
    PICTURE.write_text(draw(curves, slopes, caption))
    for name, slope in slopes.items():
        print(f"{name:24} {slope.mean:10.1f} on average {slope.per_hour:+10.2f} an hour  {slope.verdict}")
    print(f"Redis had {before} keys before and {after} after all had expired, none of them of an invocation.")
    print(f"Written: {options.out}, {PICTURE}")
    return 1 if found["growing"] else 0


def load(agent: Agent, seconds: float, rate: float, curves: Curves) -> int:
    """Publishes runs at `rate` per second, and samples; returns how many."""
    program = psutil.Process(agent.programs["run"].process.pid)
    started, count, sampled = time.monotonic(), 0, 0
    while (passed := time.monotonic() - started) < seconds:
        while count < passed * rate:
            agent.publish_one("sync", agent.target.url())
            count += 1
        if passed >= sampled * SAMPLE_S:
            sampled += 1
            curves.add(passed, sample(agent, program))
        time.sleep(max(0.0, min((count + 1) / rate, sampled * SAMPLE_S) - (time.monotonic() - started)))
    return count


def sample(agent: Agent, program: psutil.Process) -> dict[str, float]:
    """What everything uses now, by name."""
    assert agent.redis.process is not None
    processes = {"supervisor": program, "redis": psutil.Process(agent.redis.process.pid)}
    numbers: Counter[str] = Counter()
    for child in program.children():
        role = next((role for role in PROGRAMS if role in child.cmdline()), "")
        if role:
            numbers[role] += 1
            processes[f"{role} {numbers[role]}"] = child
    values: dict[str, float] = {}
    for name, process in processes.items():
        with process.oneshot():
            values[f"{name}: MiB"] = process.memory_info().rss / MIB
            values[f"{name}: descriptors"] = process.num_fds()
            values[f"{name}: threads"] = process.num_threads()
    redis = agent.access.ledger.redis
    info: Any = redis.info("memory")
    values["redis: keys"] = redis.dbsize()
    values["redis: data MiB"] = info["used_memory"] / MIB
    return values


def left(agent: Agent) -> dict[str, int]:
    """How many keys of invocations there are, by kind."""
    prefix = agent.access.ledger.keys.prefix
    names = (name.decode().removeprefix(prefix) for name in agent.access.ledger.redis.scan_iter(count=1000))
    kinds = Counter(name.partition(":")[0] for name in names)
    return {kind: kinds[kind] for kind in OF_AN_INVOCATION if kinds[kind]}


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8, help="how long (default: %(default)s; fractions are fine)")
    parser.add_argument("--rate", type=float, default=20, help="runs per second (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("soak.json"), help="results file (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
