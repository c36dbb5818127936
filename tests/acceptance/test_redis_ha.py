"""The example of docs/how-to/redis-ha.md, as it stands there: three Redis, three sentinels, and a worker."""

import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError

from longshore.errors import StoreUnavailable
from longshore.runtime.embedded_redis import HOST, EmbeddedRedis, find_program, free_port
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from tests.support.programs import eventually, longshore

from .conftest import Bench

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "redis-ha.md").read_text()
FILES = dict(re.findall(r'^```text title="([\w.]+)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))
PASSWORD = re.findall(r"^requirepass (.+)$", FILES["redis.conf"], re.MULTILINE)[0]
MASTER = re.findall(r"^sentinel monitor (\w+) ", FILES["sentinel.conf"], re.MULTILINE)[0]
NUMBERS = (1, 2, 3)


class Machines:
    """The three machines of the page on this one: their host names and ports are ports here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = {number: free_port() for number in NUMBERS}
        self.sentinels = {number: free_port() for number in NUMBERS}
        self.started: list[subprocess.Popen[bytes]] = []

    def here(self, text: str, number: int = 1) -> str:
        """`text` of the page, for machine `number`."""
        for each in NUMBERS:
            text = text.replace(f"redis-{each}:26379", f"{HOST}:{self.sentinels[each]}")
            text = text.replace(f"redis-{each} 6379", f"{HOST} {self.redis[each]}")
        text = text.replace("port 6379", f"port {self.redis[number]}")
        return text.replace("port 26379", f"port {self.sentinels[number]}")

    def start(self) -> None:
        """All of them; returns once replicas are in step and the sentinels know each other."""
        for number in NUMBERS:
            config = FILES["redis.conf"] + (FILES["replica.conf"] if number > 1 else "")
            config += "repl-diskless-sync-delay 0\n"  # 5 s, in which a primary waits for more replicas
            self._start(f"redis-{number}", self.here(config, number))
        eventually(lambda: self._info(1).get("connected_slaves") == 2, "two replicas are in step")
        for number in NUMBERS:
            self._start(f"sentinel-{number}", self.here(FILES["sentinel.conf"], number), "--sentinel")
        for port in self.sentinels.values():
            eventually(partial(self._knows_all, port), "the sentinels know each other and both replicas")

    def _start(self, name: str, config: str, *options: str) -> None:
        place = self.folder / name
        place.mkdir()
        (place / "its.conf").write_text(f"bind {HOST}\ndir {place}\n{config}")
        with (place / "log").open("wb") as log:
            command = [find_program(), str(place / "its.conf"), *options]
            self.started.append(subprocess.Popen(command, stdout=log, stderr=log))

    def _info(self, number: int) -> Any:
        try:
            with redis.Redis(port=self.redis[number], password=PASSWORD) as client:
                return client.info("replication")
        except redis.RedisError:
            return {}

    def _knows_all(self, port: int) -> bool:
        try:
            with redis.Redis(port=port) as client:
                seen: Any = client.sentinel_master(MASTER)
        except redis.RedisError:
            return False
        return (2, 2) == (seen["num-slaves"], seen["num-other-sentinels"])

    def fail_over(self) -> None:
        """As the page says one tries it."""
        with redis.Redis(port=self.sentinels[1]) as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER)
        eventually(lambda: any(self._info(each).get("role") == "master" for each in (2, 3)), "another primary")

    def close(self) -> None:
        """End all of them."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(10)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(tmp_path)
    try:
        machines.start()
        yield machines
    finally:
        machines.close()


@pytest.fixture
def bench(machines: Machines, redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Bench]:
    """Programs with the variables of the page."""
    with FakePort() as port, FakeTargets() as targets:
        bench = Bench(redis_server, port, targets, tmp_path)
        bench.environ |= dict(line.split("=", 1) for line in machines.here(FILES["agent.env"]).splitlines())
        yield bench
        for program in bench.programs:
            program.close()


def test_the_example_works_and_survives_a_failover(bench: Bench, machines: Machines) -> None:
    """With its password, by ledger and wake-up calls, and by `longshore audit` after it."""
    worker = bench.worker()
    bench.accept("r_1", "good")
    bench.ends("r_1", "done", "delivered")

    machines.fail_over()

    def accepted() -> bool:
        try:
            bench.accept("r_2", "good")
        except (StoreUnavailable, redis.RedisError, OperationalError):  # what a Redis that is changing says
            return False
        return True

    def delivered() -> bool:
        try:
            return bench.record("r_2").get("state") == "done"
        except redis.RedisError:
            return False

    eventually(accepted, "the new primary takes work")
    eventually(delivered, "what came after the failover is delivered")
    assert worker.process.poll() is None
    audit = longshore("audit", folder=bench.folder, **bench.environ)
    assert 0 == audit.returncode, audit.stdout + audit.stderr
