"""A worker's pages of metrics and health: each failure happens for real, is told, and heals by itself."""

import signal

import pytest
import redis

from longshore.delivery.target import target_of
from tasks.celery.app import make_app
from tests.support.monitored import Monitored
from tests.support.programs import eventually
from tests.support.warm import longshore

from .conftest import Bench


def test_a_worker_counts_what_it_does(bench: Bench) -> None:
    """By target and outcome; and an idle worker is alive and ready."""
    pages = Monitored()
    bench.worker(**pages.environ)
    pages.says("/readyz", True)
    assert pages.get("/livez").json()["ok"]
    bench.accept("r_1", "good")
    bench.accept("r_2", "not_found")
    bench.accept("r_3", "flaky")
    bench.ends("r_1", "done", "delivered")
    bench.ends("r_2", "dead", "http_404")
    bench.ends("r_3", "done", "delivered")

    target = target_of(bench.targets.url("not_found"))
    pages.reaches(2, "longshore_attempts_total", outcome="delivered")
    assert 1 == pages.value("longshore_attempts_total", outcome="http_404")
    assert 1 == pages.value("longshore_dead_letters_total", reason="http_404")
    assert 2 == pages.value("longshore_delivery_seconds_count", kind="action_run")
    assert pages.value("longshore_attempts_delayed_total", cause="retry")
    assert 20 == pages.value("longshore_slots")
    assert 0 == pages.value("longshore_in_flight")
    assert 1 == pages.value("longshore_attempts_total", target=target, outcome="http_404")


def test_nothing_secret_is_on_the_page(bench: Bench) -> None:
    """Targets are origins; runs, actions, users and tokens of a URL are not there."""
    pages = Monitored()
    bench.worker(**pages.environ)
    url = bench.targets.url("good")
    bench.accept("r_secret_run", f"{url}?token=hush-hush")
    login = url.replace("://", "://user:hush-hush@")  # what an earlier version took in
    bench.accept("r_secret_user", login, target=bench.targets.origin("good"))
    bench.ends("r_secret_run", "done", "delivered")
    eventually(lambda: bench.record("r_secret_user").get("state") in ("done", "dead"), "an end")
    pages.reaches(1, "longshore_attempts_total", outcome="delivered")
    page = pages.get("/metrics").text

    for secret in ("hush-hush", "user:", "r_secret", "deploy", bench.environ["PORT_CLIENT_SECRET"]):
        assert secret not in page, secret


def test_without_redis_a_worker_is_not_ready_but_alive(bench: Bench) -> None:
    """Hung or gone: both are told, and both heal by themselves."""
    pages = Monitored()
    worker = bench.worker(**pages.environ)
    pages.says("/readyz", True)
    assert bench.redis.process is not None
    bench.redis.process.send_signal(signal.SIGSTOP)
    pages.says("/readyz", False, "redis: Redis has not answered")
    assert pages.get("/livez").json()["ok"]
    bench.redis.process.send_signal(signal.SIGCONT)
    pages.says("/readyz", True)

    bench.redis.kill()
    pages.says("/readyz", False, "broker")
    assert pages.get("/livez").json()["ok"]
    bench.redis.start()
    pages.says("/readyz", True)
    assert worker.process.poll() is None


@pytest.mark.parametrize(
    ("refuses", "takes"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
    ],
    ids=["replica", "full", "alone"],
)
def test_with_a_redis_that_takes_no_writes_a_worker_is_not_ready(bench: Bench, refuses: str, takes: str) -> None:
    """It answers, but is a replica now, is full, or misses the replicas it must have."""
    pages = Monitored()
    bench.worker(**pages.environ)
    pages.says("/readyz", True)
    with redis.Redis.from_url(bench.redis.url) as admin:
        admin.execute_command(*refuses.split())
        pages.says("/readyz", False, "redis: Redis has not taken a write")
        assert pages.get("/livez").json()["ok"]
        admin.execute_command(*takes.split())
    pages.says("/readyz", True)


def test_a_deaf_worker_is_not_alive(bench: Bench) -> None:
    """It has free slots and takes nothing, although an invocation waits; as long as none does, it only idles."""
    pages = Monitored(liveness_s=2)
    bench.worker(**pages.environ)
    app = make_app(bench.settings)
    app.control.cancel_consumer("deliver")
    pages.says("/livez", True)
    bench.accept("r_1", "good")
    whys = pages.says("/livez", False, "has free slots, but has started nothing")
    assert 1 == len(whys)

    app.control.add_consumer("deliver")
    bench.ends("r_1", "done", "delivered")
    pages.says("/livez", True)
    app.close()


def test_a_program_asks_for_its_health_without_http(bench: Bench) -> None:
    """0 well, 1 not or nobody there, 78 where no port is set."""
    pages = Monitored()
    bench.worker(**pages.environ)
    pages.says("/readyz", True)
    for option in ("--ready", "--live"):
        assert 0 == longshore("health", option, folder=bench.folder, **pages.environ).returncode
    bench.redis.kill()
    pages.says("/readyz", False, "redis")
    done = longshore("health", folder=bench.folder, **pages.environ)
    assert (1, "not ready\n") == (done.returncode, done.stdout)
    assert "redis: Redis has not answered" in done.stderr
    assert 0 == longshore("health", "--live", folder=bench.folder, **pages.environ).returncode

    nobody = longshore("health", folder=bench.folder, **Monitored().environ)
    assert (1, True) == (nobody.returncode, "no answer" in nobody.stderr)
    unset = longshore("health", folder=bench.folder)
    assert (78, True) == (unset.returncode, "METRICS_PORT" in unset.stderr)


def test_a_port_that_is_taken_is_a_wrong_setting(bench: Bench) -> None:
    """Said at the start, with the name of the variable."""
    pages = Monitored()
    bench.worker(**pages.environ)
    done = longshore("worker", folder=bench.folder, **bench.environ)

    assert 78 == done.returncode
    assert "METRICS_PORT: " in done.stderr
