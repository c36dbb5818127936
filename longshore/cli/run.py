"""`longshore run`: a whole agent in one process tree, for a single container.

Redis, if it brings its own, then ingest and workers. Which of them may hold up the end, and how long, is decided here,
so that all is over within `WEBHOOK_INVOKER_TIMEOUT` + 5 s unless `DRAIN_S` is longer.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from config import small_profile, target_files
from config.roles import Role
from config.settings import Settings
from ingest.kafka import consumer_options
from longshore.cli import telemetry
from longshore.cli.program import build_argv
from longshore.errors import ConfigError
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.runtime import redis_address_file
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.runtime.managed_process import Child
from longshore.runtime.supervisor import Supervisor

log = EventLog(__name__)

INGEST_GRACE_S = 4.0
INGEST_HEAD_START_S = 1.0
"""What ingest gets before the workers are told to stop, so that it does not hand them new work."""
WORKER_EXIT_S = 0.5
"""What a worker gets on top of its drain, to write down what it did not finish."""
REDIS_GRACE_S = 0.5
"""Redis has written everything already, and only closes its file."""


def run(settings: Settings) -> int:
    """Run the agent until it is told to stop; returns the exit code."""
    # Found out here, once, instead of by each child.
    if settings.mapping_path is not None:
        from config.mapping_file import load_mapping  # which a supervisor needs for nothing else

        loaded = load_mapping(settings)
        loaded.close()
        target_files.check_mapping(loaded.deliveries)
    if not settings.is_polling:
        consumer_options.check(settings)
    if settings.has_small_profile:
        for name, value in small_profile.ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    if settings.redis_url:
        return _supervise(settings, os.environ)
    memory_mb = small_profile.REDIS_MB if settings.has_small_profile else 0
    if settings.longshore_data is None:
        return _run_with_redis(EmbeddedRedis(private=True, max_memory_mb=memory_mb), settings)
    with _lock_folder(settings.longshore_data):
        return _run_with_redis(EmbeddedRedis(settings.longshore_data, private=True, max_memory_mb=memory_mb), settings)


def _run_with_redis(redis: EmbeddedRedis, settings: Settings) -> int:
    if redis.temporary:
        log.event(
            events.REDIS_NOT_PERSISTENT,
            text="The embedded Redis keeps its data in a temporary folder: dead letters, unknown outcomes and history "
            f"end with this container; {_fate_of_unfinished(settings)}. Set LONGSHORE_DATA to a folder that lasts, or "
            "REDIS_URL.",
        )
    else:
        log.event(events.REDIS_EMBEDDED, data=str(redis.data_dir))
    settings = settings.model_copy(update={"redis_url": redis.url, "redis_password": ""})
    environ = {**os.environ, "REDIS_URL": redis.url, "REDIS_PASSWORD": "", "REDIS_PASSWORD_FILE": ""}
    if settings.commit_mode is None and redis.temporary:
        environ["COMMIT_MODE"] = "finished"
    # It needs nothing of the environment, and could only show our secrets.
    redis_child = Child("redis", redis.argv(), env={}, stop_grace_s=REDIS_GRACE_S, order=2, output=redis.log_path)
    try:
        with redis_address_file.publish(settings, redis.url):
            return _supervise(settings, environ, redis_child)
    finally:
        redis.stop()


def _fate_of_unfinished(settings: Settings) -> str:
    if settings.is_polling:
        return "so do runs that were acknowledged to Port and are not finished, as Port gives them to nobody else"
    return "what is not finished is read from Kafka again"


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for one agent; raises `ConfigError` if it cannot be had.

    Two Redis processes that append to one file would ruin it. The lock goes with the process, however it ends.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "agent.lock").open("w")
    except OSError as error:
        problem = f'"{folder}" cannot be written to ({error.strerror})'
        raise ConfigError("LONGSHORE_DATA", problem, "Give a folder that this user may write to") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = f'"{folder}" is in use by another agent'
            raise ConfigError("LONGSHORE_DATA", problem, "Give each agent a folder of its own") from None
        yield


def _supervise(settings: Settings, environ: Mapping[str, str], *more: Child) -> int:
    workers = [f"worker-{number}" for number in range(1, settings.worker_processes + 1)]
    sockets = telemetry.name_sockets(["ingest", *workers])
    process_tree = telemetry.serve_tree(settings, sockets)
    return Supervisor([*build_children(settings, environ, sockets), *more], process_tree).run()


def build_children(
    settings: Settings, environ: Mapping[str, str], sockets: Mapping[str, str] = MappingProxyType({})
) -> list[Child]:
    """Ingest and the workers, as children with `environ`; they serve their metrics at `sockets`, by name."""
    ingest = Child(
        "ingest",
        build_argv(Role.INGEST, "ingest", sockets.get("ingest", "")),
        env=environ,
        stop_grace_s=INGEST_GRACE_S,
        order=0,
        max_block_s=INGEST_HEAD_START_S,
    )
    workers = [
        Child(
            name,
            build_argv(Role.WORKER, name, sockets.get(name, "")),
            env=environ,
            stop_grace_s=settings.drain_grace_s + WORKER_EXIT_S,
            order=1,
        )
        for name in (f"worker-{number}" for number in range(1, settings.worker_processes + 1))
    ]
    return [ingest, *workers]
