"""A real Celery worker with our app, whose receiver makes no attempts: what becomes of a claim stands in its id.

    python -P claim_worker.py        settings come from environment variables, as a worker's

Ids that begin with `hold` start and stay until the key `go` is in Redis; `wait` do not even start until then; all end
as the second part of their id says, e.g. `hold-fail-1`. What happened is told in Redis: lists `received`, `revoked`,
`declined`, `ended`, and the hash `state`.
"""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
from celery import signals
from celery.apps.worker import Worker
from kombu.exceptions import OperationalError

from config.settings import Settings, load
from longshore.ledger.entry import Claim
from longshore.ledger.states import State
from tasks.celery.app import make_app
from tasks.celery.claim_request import ClaimRequest
from tasks.celery.messages import UNKNOWN_FORMAT
from tasks.celery.names import DELIVER
from tasks.celery.publish import Publisher
from tasks.celery.task_events import TaskEvents
from tasks.worker.attempt_result import StoredResult
from tests.support.programs import bare, eventually

HOSTNAME = "claims@here"


class SteeredReceiver:
    """Ends claims as their ids say."""

    def __init__(self, client: Callable[[], "redis.Redis"]) -> None:
        self._client = client
        self._told: list[tuple[str, str]] = []
        self._requests: list[ClaimRequest] = []
        self._consumer: Any = None
        self.is_over = False

    def use(self, sender: Any = None, **_: Any) -> None:
        """Celery's consumer."""
        self._consumer = sender

    def receive(self, requests: Sequence[ClaimRequest]) -> None:
        """As `Receiver`."""
        self._told += [("received", request.id) for request in requests]
        self._requests += requests

    def work(self, receipts: Any) -> None:
        """Ends what may end, and tells everything, until the worker has ended and nothing is left."""
        while not self.is_over or self._requests or self._told:
            with contextlib.suppress(redis.RedisError, OSError), self._client() as client:
                self._turn(client, receipts)
            time.sleep(0.02)

    def _turn(self, client: "redis.Redis", receipts: Any) -> None:
        may_go = client.exists("go")
        batch, self._requests = self._requests, []
        for request in batch:
            self._advance(request, bool(may_go))
        while self._told:
            client.rpush(*self._told[0])
            self._told.pop(0)
        qos = getattr(getattr(self._consumer, "connection", None), "default_channel", None)
        unacked = len(qos.qos._delivered) - len(qos.qos._dirty) if qos and not self.is_over else -1
        client.hset("state", mapping={"held": len(receipts), "unacked": unacked, "over": int(self.is_over)})

    def _advance(self, request: ClaimRequest, may_go: bool) -> None:
        kind, _, rest = request.claim.id.partition("-")
        if request.claim.format == UNKNOWN_FORMAT:
            self._told.append(("declined", f"{request.id}/{request.claim.token}"))
            request.ended(None)
            return
        if kind == "wait" and not may_go:
            self._requests.append(request)
            return
        if request.is_revoked:
            self._told.append(("revoked", request.id))
            request.ended(StoredResult(State.DEAD, "revoked by an operator"))
            return
        if request.time_start is None:
            request.started()
        if kind == "hold" and not may_go:
            self._requests.append(request)
            return
        end = rest.partition("-")[0]
        self._told.append(("ended", request.id))
        state = {"fail": State.DEAD, "retry": State.WAITING}.get(end, State.DONE)
        request.ended(StoredResult(state, f"{end} in 5 ms"))


def run(settings: Settings) -> int:
    """Run the worker until SIGTERM; claims that are held then end afterwards, as in a drain."""
    app = make_app(settings)
    events = TaskEvents(app)
    receiver = SteeredReceiver(lambda: redis.Redis.from_url(str(settings.redis)))
    task = app.tasks[DELIVER]
    task.receiver, task.events = receiver, events
    signals.worker_ready.connect(receiver.use, weak=False)
    events.start()
    thread = threading.Thread(target=receiver.work, args=(task.receipts,))
    thread.start()
    worker = Worker(
        app=app,
        hostname=HOSTNAME,
        concurrency=settings.worker_slots,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        task_events=settings.worker_events,
        quiet=True,
    )
    worker.start()
    receiver.is_over = True
    thread.join()
    events.stop()
    return int(worker.exitcode or 0)


class ClaimWorker:
    """The worker as a process, and what it has told."""

    def __init__(self, folder: Path, client: "redis.Redis", environ: Mapping[str, str]) -> None:
        import subprocess

        self.settings = load(environ)
        self.app = make_app(self.settings)
        self.client = client
        self.log_path = folder / "claim-worker.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.support.claim_worker"],
                env=bare({"PYTHONPATH": str(Path(__file__).parents[2]), **environ}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> "ClaimWorker":
        """Wait until it takes commands."""
        eventually(lambda: self.process.poll() is not None or self.inspect("ping"), "it takes commands", every_s=0.2)
        assert self.process.poll() is None, self.log_path.read_text()
        return self

    def inspect(self, command: str, *arguments: Any) -> Any:
        """Its answer to `celery inspect`; None without one."""
        try:
            inspect = self.app.control.inspect([HOSTNAME], timeout=2, limit=1)
            return (getattr(inspect, command)(*arguments) or {}).get(HOSTNAME)
        except (redis.RedisError, OSError, OperationalError):  # a connection from before an outage
            return None

    def publish(self, *ids: str, workers: int = 1, format: int = 3) -> None:
        """Put claims of these ids on Celery's list."""
        publisher = Publisher(self.app)
        publisher.publish([Claim(id, 1, 0, "https://t", 2, 1, format) for id in ids], workers)
        publisher.close()

    def told(self, what: str) -> list[str]:
        """One of the lists."""
        values: Any = self.client.lrange(what, 0, -1)
        return [value.decode() for value in values]

    def state(self) -> dict[str, int]:
        """How many claims and messages it holds."""
        values: Any = self.client.hgetall("state")
        return {name.decode(): int(value) for name, value in values.items()}

    def queue_length(self, queue: str = "deliver.3") -> int:
        """Messages that nobody has taken."""
        prefix = self.app.conf.broker_transport_options["global_keyprefix"]
        length: Any = self.client.llen(prefix + queue)
        return int(length)

    def push(self, queue: str, element: Any) -> None:
        """Put anything into a list."""
        prefix = self.app.conf.broker_transport_options["global_keyprefix"]
        self.client.lpush(prefix + queue, element if isinstance(element, bytes) else json.dumps(element))

    def close(self) -> None:
        """Make sure that nothing is left of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


if __name__ == "__main__":
    sys.exit(run(load()))
