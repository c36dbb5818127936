"""What one asynchronous run costs from Kafka to the target and to Port's run log, and how long it takes.

    .venv/bin/python -m bench.end_to_end [--runs 3000] [--rate 50] [--seconds 10]

Real programs, real Redis (AOF everysec), a real Kafka broker where Java and Maven are there (the embedded one answers
an idle fetch only after half a second, so it shows no latency); Port is the sandbox's, the target `bench/target.py`.
First `--runs` at once (throughput and costs), then `--rate` a second for `--seconds` (latency). CPU is user and system
time of a program and its jq child, without its start.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import redis
from confluent_kafka import Producer

from longshore.ledger.keys import Keys
from longshore.ledger.states import State
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.publisher import action_run, as_text
from tests.support.kafka_broker import KafkaBroker, missing_programs

SECRET = "bench-client-secret-0123456789-abcdefghijkl"
SCRIPT = Path(sys.executable).with_name("longshore")


def cpu_s(*processes: psutil.Process) -> float:
    """CPU seconds of processes and their children so far."""
    family = [member for process in processes for member in (process, *process.children(recursive=True))]
    return sum(sum(member.cpu_times()[:2]) for member in family)


class Bench:
    """An agent with everything around it."""

    def __init__(self, folder: Path, redis_server: EmbeddedRedis, bootstrap: str, port: FakePort) -> None:
        self.target = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("target.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.target.stdout is not None
        self.url = f"http://127.0.0.1:{self.target.stdout.readline().strip()}/hooks/port"
        self.redis = redis.Redis.from_url(redis_server.url)
        self.keys = Keys.of("bench/bench.agent")
        self.port = port
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        environ = os.environ | {
            "PORT_ORG_ID": "bench",
            "PORT_CLIENT_ID": "bench",
            "PORT_CLIENT_SECRET": SECRET,
            "PORT_API_BASE_URL": port.url,
            "KAFKA_CONSUMER_GROUP_ID": "bench.agent",
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": bootstrap,
            "REDIS_URL": redis_server.url,
            "TARGET_CONCURRENCY": "200",
            "LANE_CONCURRENCY": "100",
            # Otherwise Port's rate limit, which the agent keeps to, would decide how many calls are made.
            "PORT_API_RATE": "0",
        }
        self.programs = {
            name: subprocess.Popen(
                [str(SCRIPT), name], cwd=folder, env=environ, stderr=(folder / f"{name}.log").open("wb")
            )
            for name in ("ingest", "worker")
        }
        self.sent: dict[str, float] = {}

    def publish(self, count: int) -> None:
        """Publishes `count` new runs."""
        for _ in range(count):
            id = f"r_bench{len(self.sent):07}"
            value = as_text(action_run(id, self.url), SECRET)
            self.sent[id] = time.time()
            self.producer.produce("bench.runs", value, id.encode())
            self.producer.poll(0)

    def wait(self) -> None:
        """Until every run is delivered and reported."""
        while self.delivered() < len(self.sent):
            time.sleep(0.05)

    def wait_reported(self) -> None:
        """Until no report is left to send."""
        while self.redis.zcard(self.keys.outbox) or self.redis.zcard(self.keys.outbox_leases):
            time.sleep(0.1)

    def delivered(self) -> int:
        """How many runs have ended as delivered."""
        return int(self.redis.hget(self.keys.counts, State.DONE) or 0)

    def costs(self, redis_process: psutil.Process) -> dict[str, float]:
        """CPU seconds and counters so far."""
        costs = {name: cpu_s(psutil.Process(program.pid)) for name, program in self.programs.items()}
        costs["redis"] = cpu_s(redis_process)
        stats = self.redis.info("commandstats")
        costs["calls"] = sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "brpop", "lpush"))
        costs["commands"] = sum(command["calls"] for command in stats.values())
        costs["port"] = sum(self.port.counts.values())
        return costs

    def close(self) -> dict[str, list[float]]:
        """Ends the programs; returns when each run arrived at the target."""
        for program in self.programs.values():
            program.terminate()
        for program in self.programs.values():
            program.wait(60)
        arrivals, _ = self.target.communicate()
        times: dict[str, list[float]] = json.loads(arrivals)
        return times


TOPICS = {"bench.runs": 8, "bench.change.log": 1}


def start_kafka(stack: ExitStack, folder: Path) -> str:
    """Returns the address of a Kafka with our topics, which ends with `stack`."""
    if missing_programs():
        return stack.enter_context(EmbeddedKafka(TOPICS)).bootstrap
    broker = KafkaBroker(folder / "kafka").start()
    stack.callback(broker.stop)
    for topic, partitions in TOPICS.items():
        broker.create_topic(topic, partitions)
    return broker.bootstrap


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3000)
    arguments.add_argument("--rate", type=float, default=50)
    arguments.add_argument("--seconds", type=float, default=10)
    options = arguments.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis"))
        port = stack.enter_context(FakePort())
        bench = Bench(folder, server, start_kafka(stack, folder), port)
        print("waiting for the agent ...", file=sys.stderr)
        bench.publish(20)
        bench.wait()
        bench.wait_reported()
        redis_process = psutil.Process(int(bench.redis.info("server")["process_id"]))
        before, start = bench.costs(redis_process), time.time()
        print(f"publishing {options.runs} at once ...", file=sys.stderr)
        bench.publish(options.runs)
        bench.wait()
        duration_s = time.time() - start
        bench.wait_reported()
        after = bench.costs(redis_process)
        per_run = {name: (after[name] - before[name]) / options.runs for name in after}
        print(f"deliveries/s                {options.runs / duration_s:8.0f}")
        for name in ("ingest", "worker", "redis"):
            print(f"CPU-ms per run, {name:10}  {per_run[name] * 1000:8.2f}")
        print(f"CPU-ms per run, all         {sum(per_run[name] for name in ('ingest', 'worker', 'redis')) * 1000:8.2f}")
        print(f"Redis round trips per run   {per_run['calls']:8.2f}")
        print(f"Redis commands per run      {per_run['commands']:8.1f}")
        print(f"Port calls per run          {per_run['port']:8.2f}")
        for role, program in bench.programs.items():
            print(f"RSS of {role:8} (MB)        {psutil.Process(program.pid).memory_info().rss / 1e6:8.0f}")
        steady = len(bench.sent)
        print(f"publishing {options.rate:g}/s for {options.seconds:g} s ...", file=sys.stderr)
        for number in range(int(options.rate * options.seconds)):
            time.sleep(max(0.0, seconds_until(number, options.rate)))
            bench.publish(1)
        bench.wait()
        arrivals = bench.close()
        repeats = sum(len(times) - 1 for times in arrivals.values())
        latencies_ms = sorted((arrivals[id][0] - at) * 1000 for id, at in list(bench.sent.items())[steady:])
        p50, p99 = statistics.median(latencies_ms), latencies_ms[len(latencies_ms) * 99 // 100]
        print(f"Kafka to target at {options.rate:g}/s, ms  p50 {p50:.1f}  p99 {p99:.1f}")
        print(f"repeated                    {repeats:8d}")


_first: list[float] = []


def seconds_until(number: int, rate: float) -> float:
    """Seconds until message `number` of a steady stream is due."""
    if not _first or number == 0:
        _first[:] = [time.monotonic()]
    return _first[0] + number / rate - time.monotonic()


if __name__ == "__main__":
    main()
