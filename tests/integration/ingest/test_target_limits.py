"""What mapping and limits file say of targets stands in the ledger while they say it, and no longer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import load
from ingest.target_limits import REFRESH_S, TargetLimits, strictest
from longshore.delivery.host_limits import HostLimits
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls
from longshore.operations.ledger_access import open_ledger
from longshore.runtime import mapping_watch
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from tests.integration.ingest.conftest import MakeIngest, run
from tests.support.programs import SETTINGS, eventually

A, B = "http://a:80", "http://b.internal:80"
FILE = HostLimits.parse(b'{"*.internal": {"rate": 5, "concurrency": 10}}')

NO_FILE = HostLimits()

Start = Callable[..., TargetLimits]


@pytest.fixture
def targets(redis_server: EmbeddedRedis) -> TargetControls:
    return open_ledger(load(SETTINGS | {"REDIS_URL": redis_server.url})).targets


@pytest.fixture
def start(targets: TargetControls) -> Start:
    """Starts an ingest with these mappings; what it hears goes to the ledger."""

    def begin(*deliveries: DeliveryOptions, file: HostLimits | None = None, hears: str = "") -> TargetLimits:
        limits = TargetLimits(deliveries, lambda: file or NO_FILE, targets)
        for entry, target in enumerate(hears.split()):
            limits.note(target, entry)
        limits.sync()
        return limits

    return begin


def test_a_name_is_limited_from_the_start_and_an_origin_once_it_is_sent_to(
    targets: TargetControls, start: Start
) -> None:
    """A mapping without a name says it of whatever its URLs lead to."""
    limits = start(DeliveryOptions("deployer", rate=2), DeliveryOptions(concurrency=3))
    assert {"deployer": TargetControl(rate=2)} == targets.all_mapping_controls()
    limits.note(A, 1)
    limits.sync()
    assert {"deployer": TargetControl(rate=2), A: TargetControl(concurrency=3)} == targets.all_mapping_controls()


def test_the_strictest_of_several_mappings_holds(targets: TargetControls, start: Start) -> None:
    """Each key by itself, whatever the order in which they are heard of."""
    start(
        DeliveryOptions(rate=0),
        DeliveryOptions(rate=5, concurrency=9),
        DeliveryOptions(rate=7, concurrency=2),
        hears=f"{A} {A} {A}",
    )
    assert {A: TargetControl(rate=5, concurrency=2)} == targets.all_mapping_controls()


def test_the_file_speaks_where_the_mapping_does_not(targets: TargetControls, start: Start) -> None:
    """Key by key; and only of hosts it names."""
    start(DeliveryOptions(rate=1), DeliveryOptions(), file=FILE, hears=f"{B} {A}")
    assert {B: TargetControl(rate=1, concurrency=10)} == targets.all_mapping_controls()


def test_what_is_said_no_longer_is_taken_back_at_the_next_start(targets: TargetControls, start: Start) -> None:
    """Also of targets that nothing goes to any more; an operator's word stays."""
    start(DeliveryOptions("deployer", rate=2), DeliveryOptions(rate=1), file=FILE, hears=f"deployer {A}")
    targets.set(A, "", TargetControl(paused=True))
    start(DeliveryOptions("deployer"), DeliveryOptions())
    assert ({}, TargetControl(paused=True)) == (targets.all_mapping_controls(), targets.operator_control(A))


def test_a_restart_keeps_what_the_mapping_still_says_of_an_origin(targets: TargetControls, start: Start) -> None:
    """Before anything is heard of it; a second ingest that heard less does not loosen it either."""
    entries = (DeliveryOptions(rate=5), DeliveryOptions(rate=2))
    start(*entries, hears=f"{A} {A}")
    start(*entries)
    start(*entries, hears=A)
    assert {A: TargetControl(rate=2)} == targets.all_mapping_controls()
    start(DeliveryOptions(rate=5), hears=A)
    assert {A: TargetControl(rate=5)} == targets.all_mapping_controls()


def test_a_word_that_was_dropped_is_said_again_before_the_next_message(targets: TargetControls, start: Start) -> None:
    """Nobody used the target for a while, so the ledger forgot it; or it is another ledger."""
    limits = start(DeliveryOptions(rate=2), hears=A)
    targets.set(A, "", TargetControl(), source="mapping")
    limits._synced_at[A] -= REFRESH_S
    limits.note(A, 0)
    limits.sync()
    assert {A: TargetControl(rate=2)} == targets.all_mapping_controls()


def test_where_nothing_is_said_nothing_is_remembered(start: Start) -> None:
    """The normal case costs nothing."""
    limits = start(DeliveryOptions(), hears=A)
    assert not limits._pairs


def test_strictest_takes_no_limit_for_the_weakest() -> None:
    """0 is said, so it is stronger than silence."""
    assert TargetControl(rate=0) == strictest(TargetControl(), TargetControl(rate=0))
    assert TargetControl(rate=3, concurrency=1) == strictest(
        TargetControl(rate=0, concurrency=1), TargetControl(rate=3, concurrency=8)
    )


def test_what_ingest_reads_goes_on_the_terms_of_its_mapping(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """Target, attempts and word on unknowns with the invocation; limits of mapping and file with the target."""
    section = {"target": "deployer", "concurrency": 3, "unknown": "retry", "retry": {"max_attempts": 2}}
    mapping, limits = tmp_path / "mapping.json", tmp_path / "limits.json"
    enabled = '(.context.runId == "r_1")'
    mapping.write_text(json.dumps([{"enabled": enabled, "delivery": section}, {}]))
    limits.write_text('{"127.0.0.0/8": {"rate": 7}}')
    more = {"CONTROL_THE_PAYLOAD_CONFIG_PATH": str(mapping), "LIMITS_FILE": str(limits)}
    ingest = make_ingest(kafka.bootstrap, redis_server, **more).start()
    kafka.publish("org.runs", run(1))
    kafka.publish("org.runs", run(2))
    ingest.eventually("accepted", 2)
    ledger = ingest.ledger
    fields = ("target", "unknown", "max_attempts")
    first, second = (ledger.redis.hmget(ledger.keys.invocation(id), fields) for id in ("r_1", "r_2"))
    assert [b"deployer", b"retry", b"2"] == first
    assert [b"http://127.0.0.1:9", b"park", b"8"] == second
    read_limits = open_ledger(ingest.settings).targets.all_mapping_controls
    limited = {"deployer": TargetControl(concurrency=3), "http://127.0.0.1:9": TargetControl(rate=7)}
    eventually(lambda: read_limits() == limited, "both limits")


def test_limits_follow_both_files_while_nothing_comes(
    make_ingest: MakeIngest,
    kafka: EmbeddedKafka,
    redis_server: EmbeddedRedis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they hold from the start, for all targets that are known. A wrong file changes nothing."""
    monkeypatch.setattr(mapping_watch, "CHECK_S", 0.05)
    mapping, limits = tmp_path / "mapping.json", tmp_path / "limits.json"
    mapping.write_text('[{"delivery": {"rate": 2}}]')
    limits.write_text("{}")
    more = {"CONTROL_THE_PAYLOAD_CONFIG_PATH": str(mapping), "LIMITS_FILE": str(limits)}
    ingest = make_ingest(kafka.bootstrap, redis_server, **more).start()
    read_limits = open_ledger(ingest.settings).targets.all_mapping_controls

    def are(expected: dict[str, TargetControl]) -> None:
        eventually(lambda: read_limits() == expected, str(expected))

    kafka.publish("org.runs", run(1))
    are({"http://127.0.0.1:9": TargetControl(rate=2)})
    limits.write_text("{")
    mapping.write_text('[{"delivery": {"target": "deployer", "rate": 3}}]')
    are({"deployer": TargetControl(rate=3)})
    limits.write_text('{"127.0.0.0/8": {"concurrency": 5}}')
    are({"deployer": TargetControl(rate=3), "http://127.0.0.1:9": TargetControl(concurrency=5)})
