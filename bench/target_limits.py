"""How fair targets are to each other beside one that hangs, and how exactly a target's rate is kept.

    .venv/bin/python -m bench.target_limits fairness [--backlog 10000] [--count 1000] [--pairs 1] [--gateway]
    .venv/bin/python -m bench.target_limits rate [--rate 10] [--backlog 10000] [--seconds 20] [--workers 1]
    .venv/bin/python -m bench.target_limits ledger [--backlog 10000] [--seconds 8]

A real worker and a real Redis (AOF everysec); the ledger is filled directly, as ingest does it. Arrivals are counted at
the target. `ledger` leaves out the worker: its processes pump and finish each claim at once, which reaches rates that
no worker of one machine can send. See `dispatch_rate.py`.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.dispatch_rate import measure_ledger
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.crowd import Crowd, Server

LANE_CONCURRENCY = 50
"""Requests in flight at once to the hanging route: the setting's default."""

HEALTHY_TARGETS = 50
"""Healthy targets, or healthy routes of the gateway."""


def format_percentiles(values: list[float]) -> str:
    """p50, p99 and the longest, in ms."""
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49] * 1000:6.1f}  p99 {cuts[98] * 1000:6.1f}  max {max(values) * 1000:6.1f} ms"


def count_commands(crowd: Crowd) -> int:
    """Redis commands so far, those inside scripts included."""
    stats: Any = crowd.ledger.redis.info("commandstats")
    return sum(int(command["calls"]) for command in stats.values())


def measure_healthy(backlog: int, gateway: bool, rate: float, count: int) -> str:
    """From the ledger to the target: `count` runs, while `backlog` runs wait for one that hangs.

    Returns the cost per run beside the latency: equal costs with different latencies point at the machine.
    """
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as redis:
        server = Server(1 if gateway else HEALTHY_TARGETS + 1)
        with Crowd(Path(folder), redis) as crowd:
            worker = psutil.Process(crowd.worker().process.pid)
            crowd.put([f"warm_{n}" for n in range(100)], server.url(0, "/warm"), start=True)
            while crowd.count(State.DONE) < 100:
                time.sleep(0.1)
            crowd.put([f"hang_{n}" for n in range(backlog)], server.url(0, "/hang"), "hang")
            # Measure only once all are accepted and the lane of the hanging target is full.
            hanging = [f"hang_{n}" for n in range(backlog)]
            while list(crowd.states(hanging).values()).count(State.BEGUN) < min(backlog, LANE_CONCURRENCY):
                time.sleep(0.1)
            time.sleep(1)
            cpu_before, commands_before = sum(worker.cpu_times()[:2]), count_commands(crowd)
            sent, start = {}, time.monotonic()
            for n in range(count):
                time.sleep(max(0.0, start + n / rate - time.monotonic()))
                sent[f"r_{n}"] = time.time()
                route = n % HEALTHY_TARGETS
                url = server.url() if gateway else server.url(1 + route)
                crowd.put([f"r_{n}"], url, f"route-{route}", start=True)
            while crowd.count(State.DONE) < 100 + count:
                time.sleep(0.1)
            cpu_ms = (sum(worker.cpu_times()[:2]) - cpu_before) * 1000 / count
            commands = count_commands(crowd) - commands_before
        arrivals = server.stop()
    latency = format_percentiles([arrivals[id][0] - at for id, at in sent.items()])
    return f"{latency}; worker {cpu_ms:.1f} CPU-ms, Redis {commands / count:.0f} commands a run"


def measure_fairness(options: argparse.Namespace) -> None:
    """The same stream of healthy runs, without and with a hanging backlog before it, in turn."""
    for backlog in (0, options.backlog) * options.pairs:
        result = measure_healthy(backlog, options.gateway, options.rate, options.count)
        print(f"{options.count} runs at {options.rate:g}/s behind {backlog:6} that hang: {result}", flush=True)


def measure_rate(options: argparse.Namespace) -> None:
    """A target with a rate and a backlog: what arrives a second, and what Redis spends on it."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as redis:
        server = Server(1)
        more = {"TARGET_CONCURRENCY": "400", "LANE_CONCURRENCY": "400"}
        with Crowd(Path(folder), redis, **more) as crowd:
            assert redis.process is not None
            process = psutil.Process(redis.process.pid)
            target = server.url().removesuffix("/hook")
            crowd.access.targets.set(target, "", TargetControl(paused=True))
            crowd.put([f"r_{n}" for n in range(options.backlog)], server.url())
            for _ in range(options.workers):
                crowd.worker()
            idle = cpu_share(process, 5)
            crowd.access.targets.set(target, "", TargetControl(rate=options.rate))
            time.sleep(2)
            start = time.time()
            busy = cpu_share(process, options.seconds)
            end = time.time()
        arrivals = [times[0] for times in server.stop().values()]
    rate = sum(start <= at < end for at in arrivals) / (end - start)
    print(f"limit {options.rate:g}/s: {rate:.2f}/s ({rate / options.rate - 1:+.2%}) over {end - start:.1f} s")
    print(f"Redis {busy:.1%} of a core, idle {idle:.1%}")


def cpu_share(process: psutil.Process, seconds: float) -> float:
    """Share of a core that `process` uses in the next `seconds`."""
    cpu_before, start = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - cpu_before) / (time.monotonic() - start)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    fair = commands.add_parser("fairness")
    fair.set_defaults(run=measure_fairness)
    fair.add_argument("--backlog", type=int, default=10_000)
    fair.add_argument("--count", type=int, default=1000)
    fair.add_argument("--rate", type=float, default=50)
    fair.add_argument("--pairs", type=int, default=1, help="a noisy machine needs several")
    fair.add_argument("--gateway", action="store_true")
    paced = commands.add_parser("rate")
    paced.set_defaults(run=measure_rate)
    paced.add_argument("--rate", type=float, default=10)
    paced.add_argument("--backlog", type=int, default=10_000)
    paced.add_argument("--seconds", type=float, default=20)
    paced.add_argument("--workers", type=int, default=1)
    alone = commands.add_parser("ledger")
    alone.set_defaults(run=measure_ledger)
    alone.add_argument("--backlog", type=int, default=10_000)
    alone.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
