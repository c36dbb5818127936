"""Ingest between Kafka and Redis: what is published is stored, whatever is away for a while."""

import json
import threading
from functools import partial

import pytest
from structlog.testing import capture_logs

from longshore.invocation.mapping import MappingFileError
from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.publisher import as_text, change_log_event, node_run, text_of
from tests.integration.ingest.conftest import SECRET, URL, Ingest, MakeIngest, run
from tests.support.programs import eventually


def test_both_topics_reach_the_ledger(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """Action runs, node runs and change log events, each once."""
    kafka.publish("org.runs", run(1))
    kafka.publish("org.runs", as_text(node_run("wfnr_1", URL), SECRET))
    kafka.publish("org.change.log", text_of(change_log_event(URL, "checkout")))

    ingest.eventually("accepted", 3)
    kinds = {
        ingest.ledger.redis.hget(key, "kind") for key in ingest.ledger.redis.keys(ingest.ledger.keys.invocation("*"))
    }
    assert kinds == {b"action_run", b"node_run", b"change_log"}


@pytest.mark.parametrize(("reset", "warnings"), [("largest", 1), ("earliest", 0)])
def test_that_older_records_are_skipped_is_said_at_the_start(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis, reset: str, warnings: int
) -> None:
    """Nothing else shows what a new group with `largest` never reads."""
    with capture_logs() as lines:
        ingest = make_ingest(kafka.bootstrap, redis_server, KAFKA_CONSUMER_AUTO_OFFSET_RESET=reset).start()
        eventually(lambda: any(line["event"] == events.INGEST_STARTED.name for line in lines), "it has started")
        ingest.stop()

    names = [line["event"] for line in lines]
    assert names.count(events.INGEST_OLDER_RECORDS_SKIPPED.name) == warnings


def test_what_may_start_at_once_is_handed_to_celery(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """Claimed in the call that stores it and published right after, without waiting for a pump."""
    ingest.ledger.heartbeat("worker-1", 10)
    kafka.publish("org.runs", run(1))

    eventually(lambda: _celery_messages(ingest) == ["r_1"], "the message on Celery's list")


def test_no_bad_message_stops_the_good_ones(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """Each is skipped or a dead letter, and the run behind it is accepted."""
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    bad = [
        None,
        b"",
        b"{",
        b"\x00",
        b"\xff\xfe",
        b"[]",
        b"{}",
        deep,
        b'{"payload":null}',
        run(1).replace(b"deploy", b"d"),
    ]
    for value in bad:
        kafka.publish("org.runs", value, partition=0)
    kafka.publish("org.runs", run(2, properties={"text": "x" * 3_000_000}), partition=0)
    kafka.publish("org.runs", run(3), partition=0)

    eventually(lambda: ingest.partition("org.runs", 0).get("next") == len(bad) + 2, "all read")
    counters = ingest.partition("org.runs", 0)
    skipped = sum(number for name, number in counters.items() if name.startswith("skipped:"))
    assert (counters["read"], counters["accepted"] + skipped) == (len(bad) + 2, len(bad) + 2)
    assert ingest.ledger.redis.exists(ingest.ledger.keys.invocation("r_2"), ingest.ledger.keys.invocation("r_3")) == 2
    assert ingest.count("dead:bad_signature") == 1


def test_a_run_published_twice_is_accepted_once_and_the_copy_is_logged(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """A known run id at another place in Kafka: counted, said, not run again."""
    with capture_logs() as lines:
        kafka.publish("org.runs", run(1), partition=0)
        kafka.publish("org.runs", run(1), partition=1)
        ingest.eventually("repeated_elsewhere", 1)
        eventually(lambda: events.INGEST_ID_REPEATED.name in [line["event"] for line in lines], "the line")

    assert ingest.count("accepted") == 1


def test_it_ends_at_once_when_told_to(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """With exit code 0 and nothing left running."""
    kafka.publish("org.runs", run(1))
    ingest.eventually("accepted", 1)
    ingest.stop()

    assert ingest.exit_code == 0
    assert not [each.name for each in threading.enumerate() if each.name in ("accept", "leave-group")]


def test_redis_may_come_later(make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> None:
    """It is waited for, and that is said once."""
    redis_server.kill()
    with capture_logs() as lines:
        ingest = make_ingest(kafka.bootstrap, redis_server).start()
        kafka.publish("org.runs", run(1))
        eventually(
            lambda: len([line for line in lines if line["event"] == events.REDIS_OUTAGE_CONTINUED.name]) >= 3,
            "three tries",
        )
        redis_server.start()
        ingest.eventually("accepted", 1)

    assert [line["event"] for line in lines].count(events.REDIS_OUTAGE_STARTED.name) == 1
    assert [line["event"] for line in lines].count(events.REDIS_OUTAGE_ENDED.name) == 1


def test_kafka_may_come_later(make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> None:
    """It is waited for, and that is said once."""
    kafka.publish("org.runs", run(1))
    kafka.down()
    with capture_logs() as lines:
        ingest = make_ingest(kafka.bootstrap, redis_server).start()
        eventually(lambda: events.KAFKA_OUTAGE_STARTED.name in [line["event"] for line in lines], "the line")
        kafka.up()
        ingest.eventually("accepted", 1)

    assert [line["event"] for line in lines].count(events.KAFKA_OUTAGE_STARTED.name) == 1


def test_port_may_come_later(make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> None:
    """Its Kafka credentials are asked for until they are there."""
    with FakePort(brokers=[kafka.bootstrap], kafka_username="u", kafka_password="p") as port:
        port.fail_next(2, 503)
        more = {"USING_LOCAL_PORT_INSTANCE": "false", "PORT_API_BASE_URL": port.url}
        with capture_logs() as lines:
            ingest = make_ingest("", redis_server, **more).start()
            kafka.publish("org.runs", run(1))
            ingest.eventually("accepted", 1)

        names = [call.name for call in port.calls if call.status < 400]
    assert names[-1] == "kafka_credentials"
    logged = [line["event"] for line in lines]
    assert logged.count(events.PORT_OUTAGE_STARTED.name) == logged.count(events.PORT_OUTAGE_ENDED.name) == 1


def test_port_is_told_where_runs_are_taken_from(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis
) -> None:
    """Exactly the body of the wire contract, before anything else; with a local Kafka too."""
    with FakePort() as port:
        make_ingest(kafka.bootstrap, redis_server, PORT_API_BASE_URL=port.url).start()
        eventually(lambda: [call for call in port.calls if call.method == "PATCH"], "the call")

        (call,) = (call for call in port.calls if call.method == "PATCH")
    assert (call.path, call.body) == ("/v1/organization", {"settings": {"portAgentStreamerName": "KAFKA"}})


@pytest.mark.parametrize("away", ["redis", "kafka", "port"])
def test_it_ends_at_once_while_something_is_away(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis, away: str
) -> None:
    """Waiting is no reason to be killed: exit code 0."""
    more = {}
    if away == "redis":
        redis_server.kill()
    elif away == "kafka":
        kafka.down()
    else:
        more = {"USING_LOCAL_PORT_INSTANCE": "false"}
    with capture_logs() as lines:
        ingest = make_ingest(kafka.bootstrap, redis_server, **more).start()
        outages = {"redis": events.REDIS_OUTAGE, "kafka": events.KAFKA_OUTAGE, "port": events.PORT_OUTAGE}
        eventually(lambda: outages[away].started.name in [line["event"] for line in lines], "the outage")
    ingest.stop()

    assert ingest.exit_code == 0


def test_redis_restarted_under_load_costs_nothing(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis
) -> None:
    """Killed four times while runs stream in: every one is in the ledger, and nobody restarted anything."""
    ingest = make_ingest(kafka.bootstrap, redis_server, KAFKA_BATCH_SIZE="20").start()
    published = threading.Event()

    def publish() -> None:
        for number in range(800):
            kafka.publish("org.runs", run(number))
        published.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    for accepted in (50, 150, 300, 500):
        eventually(partial(_has_records, ingest, accepted), f"{accepted} records")
        redis_server.kill()
        redis_server.start()
    publisher.join(60)
    assert published.is_set()

    eventually(lambda: _records(ingest) == 800, "all 800")
    eventually(lambda: sum(ingest.partition("org.runs", n).get("next", 0) for n in range(4)) == 800, "all offsets")


def test_ingest_pauses_at_the_backlog_limit_and_goes_on_below_it(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis
) -> None:
    """Kafka is the buffer: what is above the limit stays there until there is room."""
    for number in range(100):
        kafka.publish("org.runs", run(number))
    wide = {"LANE_CONCURRENCY": "1000", "TARGET_CONCURRENCY": "1000"}
    ingest = make_ingest(kafka.bootstrap, redis_server, BACKLOG_LIMIT="10", KAFKA_BATCH_SIZE="5", **wide)
    with capture_logs() as lines:
        ingest.start()
        eventually(lambda: events.INGEST_PAUSED.name in [line["event"] for line in lines], "the pause")
        waiting = ingest.count("backlog")
        assert 10 < waiting <= 40
        # A fleet comes up and takes what waits, more with each look of the paused ingest.
        ingest.ledger.heartbeat("worker-1", 1000)
        ingest.eventually("accepted", 100)

    assert events.INGEST_RESUMED.name in [line["event"] for line in lines]


def test_what_the_ledger_lost_is_read_again(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """Redis came back without its last second: the next batch finds out and goes back in Kafka."""
    for number in range(20):
        kafka.publish("org.runs", run(number), partition=0)
    ingest.eventually("accepted", 20)
    redis, keys = ingest.ledger.redis, ingest.ledger.keys
    redis.delete(*(keys.invocation(f"r_{number}") for number in range(10, 20)))
    redis.hset(keys.partition("org.runs", 0), "next", "10")

    with capture_logs() as lines:
        kafka.publish("org.runs", run(20), partition=0)
        ingest.eventually("accepted", 31)

    assert redis.exists(*(keys.invocation(f"r_{number}") for number in range(21))) == 21
    assert events.LEDGER_ROLLED_BACK.name in [line["event"] for line in lines]
    assert ingest.partition("org.runs", 0)["next"] == 21


def test_a_ledger_that_was_replaced_gets_what_was_not_committed(ingest: Ingest, kafka: EmbeddedKafka) -> None:
    """An empty Redis knows no offset: ingest goes back to what it knows to be committed, or to where it began."""
    for number in range(5):
        kafka.publish("org.runs", run(number), partition=0)
    ingest.eventually("accepted", 5)
    ingest.ledger.redis.flushall()

    kafka.publish("org.runs", run(5), partition=0)

    eventually(lambda: ingest.ledger.redis.exists(ingest.ledger.keys.invocation("r_5")), "the new one")
    eventually(lambda: ingest.partition("org.runs", 0).get("next") == 6, "all read")


def test_a_second_ingest_shares_the_work_and_takes_over(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis
) -> None:
    """Members come and go; every run is accepted, and what is read twice is known."""
    first = make_ingest(kafka.bootstrap, redis_server).start()
    for number in range(20):
        kafka.publish("org.runs", run(number))
    first.eventually("accepted", 20)
    second = make_ingest(kafka.bootstrap, redis_server).start()
    for number in range(20, 40):
        kafka.publish("org.runs", run(number))
    second.eventually("accepted", 40)
    first.stop()
    for number in range(40, 60):
        kafka.publish("org.runs", run(number))

    second.eventually("accepted", 60)
    assert _records(second) == 60


def test_a_mapping_file_that_is_none_stops_the_start(
    make_ingest: MakeIngest, redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A person must see it; restarting does not help."""
    path = tmp_path_factory.mktemp("mapping") / "mapping.json"
    path.write_text("{}")

    with pytest.raises(MappingFileError):
        make_ingest("127.0.0.1:9", redis_server, CONTROL_THE_PAYLOAD_CONFIG_PATH=str(path)).start()


def _records(ingest: Ingest) -> int:
    """Invocations in the ledger; 0 while Redis is away."""
    try:
        return len(ingest.ledger.redis.keys(ingest.ledger.keys.invocation("*")))
    except Exception:
        return 0


def _has_records(ingest: Ingest, least: int) -> bool:
    return _records(ingest) >= least


def _celery_messages(ingest: Ingest) -> list[str]:
    """The task ids on Celery's list."""
    redis = ingest.ledger.redis
    ids: list[str] = []
    for key in redis.keys("*celery:deliver*"):
        ids += [json.loads(message)["headers"]["id"] for message in redis.lrange(key, 0, -1)]
    return ids
