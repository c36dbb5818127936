"""From Kafka messages to the ledger's entries: whatever comes, nothing raises and nothing meant for us vanishes."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest.batch_preparer import BatchPreparer, PreparedBatch
from ingest.entry_builder import EntryBuilder
from ingest.kafka.record import KafkaRecord
from ingest.polling.record import make_record
from longshore.delivery.policy import DEFAULTS
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.invocation.polling_message import SHAPES
from longshore.invocation.stream import Stream
from longshore.ledger.entry import Entry
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.port import decode_report
from longshore.sandbox.publisher import (
    action_run,
    as_text,
    change_log_event,
    node_run,
    polling_node_run,
    polling_run,
    signed,
    text_of,
)

SECRET = "secret-0123456789"
URL = "http://deployer.internal:8080/hooks/port?x=1"
SEALER = Sealer(SECRET)

MakePreparer = Callable[..., BatchPreparer]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePreparer]:
    """Preparers over a mapping file of the given content, the built-in one by default."""
    mappings: list[Mapping] = []

    def preparer(
        content: Any = None, *, fail_unmatched_nodes: bool = False, message_max_bytes: int = 1 << 24
    ) -> BatchPreparer:
        path: Path | None = None
        if content is not None:
            path = tmp_path_factory.mktemp("mapping") / "mapping.json"
            path.write_text(json.dumps(content))
        mappings.append(Mapping.load(path, {}))
        builder = EntryBuilder(mappings[-1], SEALER, DEFAULTS, fail_unmatched_nodes=fail_unmatched_nodes)
        sources = {"org.runs": Stream.RUNS, "org.change.log": Stream.CHANGE_LOG}
        return BatchPreparer(sources, [SECRET], mappings[-1], builder, message_max_bytes)

    yield preparer
    for mapping in mappings:
        mapping.close()


@pytest.fixture(scope="module")
def preparer(make: MakePreparer) -> BatchPreparer:
    """An preparer with the built-in mapping."""
    return make()


def prepare(preparer: BatchPreparer, *values: bytes | None, topic: str = "org.runs") -> PreparedBatch[KafkaRecord]:
    records = [KafkaRecord(topic, 0, offset, 1000 + offset, value) for offset, value in enumerate(values)]
    return preparer.prepare(records)


def only(prepared: PreparedBatch[KafkaRecord]) -> Entry:
    (entry,) = prepared.entries
    return entry


def decode_reports(entry: Entry) -> list[tuple[str, dict[str, Any]]]:
    """What Port is to hear, as type and body."""
    texts = []
    for item in entry.reports:
        report = decode_report(SEALER.open(item[1:]))
        assert item[:1] == report.kind.encode()
        texts.append((report.kind.value, report.body))
    return texts


def test_an_action_run_waits_in_the_lane_of_its_target_and_action(preparer: BatchPreparer) -> None:
    """With everything the worker and the scripts need beside the sealed message."""
    entry = only(prepare(preparer, as_text(action_run("r_1", URL, synchronized=True), SECRET)))

    assert (entry.id, entry.kind, entry.run, entry.synchronized) == ("r_1", Kind.ACTION_RUN, "r_1", True)
    assert entry.target == "http://deployer.internal:8080"
    assert entry.lane == "http://deployer.internal:8080 deploy_service"
    assert (entry.origin, entry.published_ms, entry.dead) == ("org.runs/0/0", 1000, "")
    assert (entry.unknown_outcome, entry.max_attempts) == ("park", DEFAULTS[Kind.ACTION_RUN].max_attempts)
    assert entry.mapping.endswith("/1")
    assert [type for type, _ in decode_reports(entry)] == ["L"]


def test_invocations_of_one_key_are_one_order(make: MakePreparer) -> None:
    """Within a target, entries in the order read; without a key there is none, and no digest tells what the key is."""
    delivery = {"order": {"key": ".payload.properties.service", "behind_dead": "hold"}}
    preparer = make([{"delivery": delivery}])
    services = ["checkout", "billing", "checkout", None, "", False, 7, "7"]
    messages = [
        as_text(action_run(f"r_{n}", URL, properties={"service": service}), SECRET)
        for n, service in enumerate(services)
    ]
    elsewhere = as_text(action_run("r_8", "http://other:80", properties={"service": "checkout"}), SECRET)
    entries = prepare(preparer, *messages, elsewhere).entries
    orders = [entry.order for entry in entries]

    assert [f"r_{n}" for n in range(9)] == [entry.id for entry in entries]
    assert orders[0] == orders[2]
    assert orders[6] == orders[7]
    assert ["", "", ""] == orders[3:6]
    assert 4 == len({*orders} - {""})
    assert all(order.startswith("hold ") and len(order) == 29 for order in orders if order)


def test_the_payload_rests_sealed_and_without_the_signature(preparer: BatchPreparer) -> None:
    """Redis never holds it in clear; the message is the signed text, key order and emptied headers included."""
    message = action_run("r_1", URL, properties={"city": "Zürich 🚀", "n": 2**60})
    entry = only(prepare(preparer, as_text(message, SECRET)))

    assert "Zürich".encode() not in entry.payload
    assert SEALER.open(entry.payload) == text_of({**message, "headers": {}})


def test_a_node_run_is_reported_as_one(preparer: BatchPreparer) -> None:
    """Its id begins with wfnr_, its log lines go to the node."""
    entry = only(prepare(preparer, as_text(node_run("wfnr_1", URL), SECRET)))

    assert (entry.kind, entry.synchronized) == (Kind.NODE_RUN, True)
    assert [type for type, _ in decode_reports(entry)] == ["N"]


def test_a_change_log_event_is_known_by_its_place_and_port_hears_nothing(preparer: BatchPreparer) -> None:
    """Even if it is about a run, that run is never touched."""
    message = change_log_event(URL, "checkout")
    message["context"]["runId"] = "r_1"
    entry = only(prepare(preparer, text_of(message), topic="org.change.log"))

    assert (entry.id, entry.kind, entry.run) == ("cl.org.change.log.0.0.1000", Kind.CHANGE_LOG, "")
    assert (entry.unknown_outcome, entry.reports) == ("retry", ())
    assert entry.lane == "http://deployer.internal:8080 change_log"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "tombstone"),
        (b"{", "not_json"),
        (b"\x00", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'{"a":1}\x00', "not_json"),
        ('{"payload":{}}'.encode("utf-16"), "not_utf8"),
        (b'\xff{"payload":{}}', "not_utf8"),
        (b"[1,2]", "not_object"),
        (b"null", "not_object"),
        (b"{}", "not_for_agent"),
        (b'{"payload":null,"context":null,"headers":null}', "not_for_agent"),
        (b'{"payload":{"action":[]}}', "not_for_agent"),
        (b'{"payload":{"action":{"invocationMethod":"WEBHOOK"}}}', "not_for_agent"),
        (text_of(action_run("r_1", URL, agent=False)), "not_for_agent"),
    ],
)
def test_what_is_not_for_us_is_counted_by_reason(preparer: BatchPreparer, value: bytes | None, reason: str) -> None:
    """Nothing is kept of it but the count, and its offset counts as read."""
    prepared = prepare(preparer, value)

    assert prepared.entries == []
    assert [(record.offset, why) for record, why in prepared.skipped] == [(0, reason)]


def test_garbage_is_logged_once_a_batch_without_its_content(preparer: BatchPreparer) -> None:
    """A flood of garbage must not become a flood of lines, nor a payload one of them."""
    with capture_logs() as lines:
        prepare(preparer, b"{password: hunter2", b"{", b"{", None, text_of(action_run("r_1", URL, agent=False)))

    loud = [line for line in lines if line["log_level"] == "warning"]
    assert [(line["reason"], line["count"], line["first"]) for line in loud] == [("not_json", 3, "org.runs/0/0")]
    assert "hunter2" not in str(lines)


def test_a_bad_signature_is_kept_as_a_dead_letter_that_port_hears_nothing_of(preparer: BatchPreparer) -> None:
    """A rotated secret must not cost the runs; a forger must not change any."""
    entry = only(prepare(preparer, as_text(action_run("r_1", URL), "another secret")))

    assert (entry.dead, entry.run, entry.reports) == ("bad_signature", "r_1", ())
    assert json.loads(SEALER.open(entry.payload))["context"]["runId"] == "r_1"


def test_a_forged_message_does_not_stand_in_the_way_of_the_real_run(preparer: BatchPreparer) -> None:
    """Both name the same run; the real one is accepted under its own id."""
    forged, real = prepare(
        preparer, as_text(action_run("r_1", URL), "another secret"), as_text(action_run("r_1", URL), SECRET)
    ).entries

    assert forged.id != real.id == "r_1"


def test_a_node_run_with_a_bad_signature_is_failed(preparer: BatchPreparer) -> None:
    """As the original agent does on the wire."""
    entry = only(prepare(preparer, as_text(node_run("wfnr_1", URL), "another secret")))

    assert entry.dead == "bad_signature"
    assert decode_reports(entry) == [("C", {"status": "COMPLETED", "result": "FAILED"})]


@pytest.mark.parametrize("url", [None, "", "/relative", "ftp://files/x", "http://"])
def test_a_url_nobody_can_call_is_a_dead_letter_and_port_is_told(preparer: BatchPreparer, url: Any) -> None:
    """The original left such a run in progress for ever."""
    entry = only(prepare(preparer, as_text(action_run("r_1", url), SECRET)))

    assert (entry.id, entry.dead, entry.target) == ("r_1", "bad_url", "-")
    assert [(type, body.get("status")) for type, body in decode_reports(entry)] == [("L", None), ("S", "FAILURE")]


def test_a_url_that_is_no_text_is_the_mappings_fault(preparer: BatchPreparer) -> None:
    """The cause names the place in the mapping file, and never the value."""
    number: Any = 7
    entry = only(prepare(preparer, as_text(action_run("r_1", number), SECRET)))

    assert entry.dead == "mapping"
    assert "mapping 1, url" in decode_reports(entry)[-1][1]["summary"]


def test_a_url_that_is_still_encrypted_is_the_workers_to_judge(make: MakePreparer) -> None:
    """It may be a secret input; only the worker decrypts."""
    content = [{"url": ".payload.properties.env", "fieldsToDecryptPaths": ["payload.properties.env"]}]
    entry = only(prepare(make(content), as_text(action_run("r_1", URL), SECRET)))

    assert (entry.dead, entry.target, entry.lane) == ("", "-", "- deploy_service")


def test_a_mapping_that_never_ends_costs_only_its_own_messages(make: MakePreparer) -> None:
    """It is cut off; the message is kept as a dead letter, and the others of the batch go their way."""
    loop = 'if .context.runId == "r_2" then (def f: f; f) else true end'
    preparer = make([{"enabled": loop, "url": ".payload.action.invocationMethod.url"}])

    prepared = prepare(preparer, *(as_text(action_run(f"r_{n}", URL), SECRET) for n in (1, 2, 3)))

    assert {entry.id: entry.dead for entry in prepared.entries} == {"r_1": "", "r_2": "mapping", "r_3": ""}


def test_unmatched_runs_are_left_to_other_agents(make: MakePreparer) -> None:
    """Several agents with different filters may share a topic; nothing is kept and nothing reported."""
    prepared = prepare(make([]), as_text(action_run("r_1", URL), SECRET), as_text(node_run("wfnr_1", URL), SECRET))

    assert prepared.entries == []
    assert [reason for _, reason in prepared.skipped] == ["no_mapping", "no_mapping"]


def test_unmatched_node_runs_are_failed_where_that_is_wanted(make: MakePreparer) -> None:
    """UNMATCHED_NODE_RUNS=fail: for an agent that is alone on its topic. Action runs stay untouched."""
    prepared = prepare(
        make([], fail_unmatched_nodes=True),
        as_text(action_run("r_1", URL), SECRET),
        as_text(node_run("wfnr_1", URL), SECRET),
    )

    entry = only(prepared)
    assert (entry.id, entry.dead) == ("wfnr_1", "no_mapping")
    assert decode_reports(entry)[-1] == ("C", {"status": "COMPLETED", "result": "FAILED"})


@pytest.mark.parametrize("is_node", [False, True])
def test_an_unmatched_run_that_was_claimed_is_a_dead_letter_and_port_is_told(is_node: bool) -> None:
    """Polling: no other agent gets it, so to leave it alone would leave it in progress for ever."""
    shape = Stream.POLLED_NODE_RUNS if is_node else Stream.POLLED_RUNS
    message = node_run("wfnr_1", URL) if is_node else action_run("r_1", URL)
    record = make_record(shape, polling_node_run(message) if is_node else polling_run(message), 0)
    assert record is not None
    with closing(Mapping(b"[]", {})) as mapping:
        builder = EntryBuilder(mapping, SEALER, DEFAULTS, fail_unmatched_nodes=False)
        streams = {stream.value: stream for stream in SHAPES}
        prepared = BatchPreparer(streams, [SECRET], mapping, builder, 1 << 20).prepare([record])

    (entry,) = prepared.entries
    assert entry.dead == "no_mapping"
    ended = {"status": "COMPLETED", "result": "FAILED"} if is_node else {"status": "FAILURE"}
    assert ended.items() <= decode_reports(entry)[-1][1].items()


def test_a_message_that_is_too_large_is_not_even_parsed(make: MakePreparer) -> None:
    """It is kept as a dead letter without its payload: nobody knows whose it was."""
    entry = only(prepare(make(message_max_bytes=10), b"{" + b" " * 10))

    assert (entry.dead, entry.reports) == ("too_large", ())
    assert SEALER.open(entry.payload) == b""


def test_five_megabytes_are_an_ordinary_message(preparer: BatchPreparer) -> None:
    """Only slower."""
    message = action_run("r_1", URL, properties={"text": "x" * 5_000_000})
    entry = only(prepare(preparer, as_text(message, SECRET)))

    assert entry.dead == ""
    assert len(SEALER.open(entry.payload)) > 5_000_000


def test_two_hundred_levels_are_an_ordinary_message(preparer: BatchPreparer) -> None:
    """Deeper than anything Port sends, and within what JSON libraries take."""
    nested: Any = {}
    for _ in range(200):
        nested = {"a": nested}
    entry = only(prepare(preparer, as_text(action_run("r_1", URL, properties=nested), SECRET)))

    assert (entry.id, entry.dead) == ("r_1", "")


@pytest.mark.parametrize(
    "literal", [b"1e-7", b"0.00001", b"1E5", b"12345678901234567890123", b"-0", b'"\\ud800"', b'"\\u0000"']
)
def test_what_javascript_and_python_print_differently_arrives_as_it_was_sent(
    preparer: BatchPreparer, literal: bytes
) -> None:
    """Number literals, numbers beyond 2^53, lone surrogates, NUL: unsigned here, so nothing else can go wrong."""
    value = text_of(change_log_event(URL, "checkout")).replace(b'"tier":"1"', b'"tier":' + literal)
    entry = only(prepare(preparer, value, topic="org.change.log"))

    assert SEALER.open(entry.payload) == value


@pytest.mark.parametrize("run_id", [7, True, ["r_1"], {"id": "r_1"}, 1.5])
def test_a_run_id_that_is_no_text_is_a_dead_letter(preparer: BatchPreparer, run_id: Any) -> None:
    """Port can be told nothing of it, but somebody can look at it."""
    entry = only(prepare(preparer, as_text(action_run(run_id, URL), SECRET)))

    assert (entry.dead, entry.run, entry.reports) == ("malformed", "", ())


def test_a_signed_message_with_strange_parents_is_taken_as_far_as_it_goes(preparer: BatchPreparer) -> None:
    """No run id but a url on the runs topic: delivered like a change log event."""
    message = action_run("r_1", URL) | {"context": None}
    entry = only(prepare(preparer, text_of(signed(message, SECRET))))

    assert (entry.kind, entry.run, entry.id) == (Kind.CHANGE_LOG, "", "cl.org.runs.0.0.1000")


def test_other_topics_are_none_of_our_business(preparer: BatchPreparer) -> None:
    """Whatever they say of themselves."""
    assert prepare(preparer, as_text(action_run("r_1", URL), SECRET), topic="other").entries == []


def test_each_dead_letter_is_logged_with_its_place_and_without_its_payload(preparer: BatchPreparer) -> None:
    """Enough to find it; nothing that was sealed."""
    with capture_logs() as lines:
        prepare(preparer, as_text(action_run("r_1", "ftp://user:hunter2@host", properties={"p": "hunter2"}), SECRET))

    (line,) = (line for line in lines if line["event"] == events.INGEST_DEAD_LETTERED.name)
    assert (line["run_id"], line["reason"], line["origin"]) == ("r_1", "bad_url", "org.runs/0/0")
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize("login", ["user:hunter2", "user:hun[ter2", "user:hun]ter2", "user:hun\u2100ter2", "hunter2"])
def test_a_login_in_the_url_is_a_dead_letter_that_does_not_tell_it(preparer: BatchPreparer, login: str) -> None:
    """Neither in a log line nor as an error of another kind."""
    with capture_logs() as lines:
        entry = only(prepare(preparer, as_text(action_run("r_1", f"http://{login}@host/"), SECRET)))

    assert (entry.dead, entry.target) == ("bad_request", "-")
    assert "ter2" not in str(lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=200) | st.none(), max_size=8))
def test_no_bytes_whatever_raise(preparer: BatchPreparer, values: list[bytes | None]) -> None:
    """And every offset is accounted for."""
    prepared = prepare(preparer, *values)

    counted = len(prepared.entries) + len(prepared.skipped)
    assert counted == len(values)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(JSON, JSON, JSON, JSON), min_size=1, max_size=6), st.sampled_from(["org.runs", "org.change.log"])
)
def test_no_shape_whatever_raises(preparer: BatchPreparer, parts: list[tuple[Any, Any, Any, Any]], topic: str) -> None:
    """Properly signed and for the agent, with anything at all in the places that are looked at."""
    messages = []
    for run_id, url, action, kind in parts:
        method = {"type": kind, "agent": True, "synchronized": kind, "method": action, "url": url}
        message = {
            "context": {"runId": run_id},
            "payload": {"action": {"identifier": action, "invocationMethod": method}},
            "changelogDestination": method,
            "headers": {},
        }
        messages.append(as_text(message, SECRET))

    prepared = prepare(preparer, *messages, topic=topic)

    counted = len(prepared.entries) + len(prepared.skipped)
    assert counted == len(messages)
    for entry in prepared.entries:
        (entry.id + entry.run + entry.target + entry.lane + entry.dead).encode()


def test_a_message_that_is_its_own_body_is_marked(make: MakePreparer) -> None:
    """Not one that would be sent in other words, nor where the mapping decrypts or has a body of its own."""
    plain, odd = as_text(action_run("r_1", URL), SECRET), as_text(action_run("r_1", URL, properties={"a": "é"}), SECRET)

    assert only(prepare(make(), plain)).verbatim
    assert not only(prepare(make(), odd)).verbatim
    assert not only(prepare(make([{"body": "."}]), plain)).verbatim
    assert not only(prepare(make([{"fieldsToDecryptPaths": ["payload.x"]}]), plain)).verbatim
