"""What a Kafka value is decided to be, in the contract's order; and no bytes whatever raise."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation import json_text, polling_message
from longshore.invocation.classify import (
    MAX_ACTION_CHARS,
    MAX_VALUES,
    Classified,
    Invocation,
    Refused,
    Skipped,
    classify_message,
)
from longshore.invocation.kinds import Kind
from longshore.invocation.stream import Stream

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
INCOMING: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "signatures.json").read_text(encoding="utf-8")
)["incoming"]
KAFKA = [stream for stream in Stream if stream not in polling_message.SHAPES]
URL = "http://deployer.internal:8080/hooks/port"


def run(run_id: Any = "r_1", **method: Any) -> dict[str, Any]:
    """An action run for us."""
    invocation_method = {"type": "WEBHOOK", "agent": True, "url": URL} | method
    return {
        "context": {"runId": run_id},
        "payload": {"action": {"identifier": "deploy", "invocationMethod": invocation_method}},
    }


def signed(message: dict[str, Any], secret: str = SECRET) -> bytes:
    """The Kafka value of a message, signed as Port does."""
    text = json_text.dumps(message | {"headers": {}}, ascii=False)
    digest = hmac.new(secret.encode(), f"1767225600.{text}".encode(), hashlib.sha256).digest()
    headers = {
        "X-Port-Signature": f"v1,{base64.b64encode(digest).decode()}",
        "X-Port-Timestamp": 1767225600,
    }
    return json_text.dumps(message | {"headers": headers}, ascii=False).encode()


def from_runs(raw: bytes | None) -> Classified:
    return classify_message(raw, Stream.RUNS, [SECRET])


def change_log(raw: bytes | None) -> Classified:
    return classify_message(raw, Stream.CHANGE_LOG, [SECRET])


@pytest.mark.parametrize("case", INCOMING, ids=[case["name"] for case in INCOMING])
def test_vector(case: dict[str, Any]) -> None:
    """Accepted with the message that mappings see, or kept as refused."""
    result = from_runs(case["kafka_value"].encode())

    if case["expect"] == "reject":
        assert isinstance(result, Refused)
        assert "bad_signature" == result.reason
    else:
        assert isinstance(result, Invocation)
        assert case["signed_content"] == f"{case['timestamp']}.{result.text}"
        assert result.message == json_text.loads(result.text)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "tombstone"),
        (b"", "tombstone"),
        (b"\xff\xfe", "not_utf8"),
        (b"{", "not_json"),
        (b"NaN", "not_json"),
        (b"[]", "not_object"),
        (b"1", "not_object"),
        (b"null", "not_object"),
        (b'"\\u0000"', "not_object"),
        ('{"a":1}'.encode("utf-16-le"), "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b"\0" * 100, "not_json"),
        (b"9" * 100_000, "not_object"),
        (b" ", "not_json"),
    ],
)
def test_what_is_no_object_is_skipped(raw: bytes | None, reason: str) -> None:
    """On every topic. What was claimed by polling is never skipped: Port is told what became of it."""
    for source in KAFKA:
        assert Skipped(reason) == classify_message(raw, source, [SECRET])
    for source in polling_message.SHAPES:
        refused = classify_message(raw, source, [SECRET])
        assert isinstance(refused, Refused)
        assert "incomplete" == refused.reason


def test_a_byte_order_mark_does_no_harm() -> None:
    """The message is the same without it."""
    assert from_runs(b"\xef\xbb\xbf" + signed(run())) == from_runs(signed(run()))


@pytest.mark.parametrize("agent", [False, None, 0, "", [], {}])
def test_without_agent_it_is_not_for_us(agent: Any) -> None:
    """The normal fate of other backends' runs; decided before the signature is looked at."""
    assert Skipped("not_for_agent") == from_runs(json.dumps(run(agent=agent)).encode())


@pytest.mark.parametrize(
    "message",
    ["{}", '{"payload":null}', '{"payload":[]}', '{"payload":"x"}', '{"payload":{"action":null}}'],
)
def test_missing_and_odd_parents_are_not_for_us(message: str) -> None:
    """They count as empty objects."""
    assert Skipped("not_for_agent") == from_runs(message.encode())


@pytest.mark.parametrize("method", [None, [], "agent", 1, True])
def test_an_odd_invocation_method_is_not_for_us(method: Any) -> None:
    """As if it were absent."""
    message = {"payload": {"action": {"invocationMethod": method}}, "changelogDestination": method}

    assert Skipped("not_for_agent") == from_runs(json.dumps(message).encode())
    assert Skipped("not_for_agent") == change_log(json.dumps(message).encode())


def test_another_topic_is_never_for_us() -> None:
    """Whatever it says."""
    assert Skipped("not_for_agent") == classify_message(signed(run()), Stream.OTHER, [SECRET])


def test_an_action_run() -> None:
    """With all that ingest needs to know of it."""
    result = from_runs(signed(run(synchronized=True)))

    assert isinstance(result, Invocation)
    assert (Kind.ACTION_RUN, "r_1", True, "deploy", "WEBHOOK") == (
        result.kind,
        result.run_id,
        result.synchronized,
        result.action,
        result.type,
    )
    assert result.text.endswith(',"headers":{}}')


def test_a_workflow_node_run() -> None:
    """Told by its id; `synchronized` missing is false, an action missing is "-"."""
    message = run("wfnr_8sK2mQ4pLx")
    del message["payload"]["action"]["identifier"]
    result = from_runs(signed(message))

    assert isinstance(result, Invocation)
    assert (Kind.NODE_RUN, "wfnr_8sK2mQ4pLx", False, "-") == (
        result.kind,
        result.run_id,
        result.synchronized,
        result.action,
    )


@pytest.mark.parametrize("run_id", ["wfr_1", "x", " r_1", "r 1/../2?#", "r_\0", "Zürich 🚀", "a" * 5000])
def test_run_ids_are_opaque(run_id: str) -> None:
    """Kept as they are, however strange; the whole workflow's id is that of an action run."""
    result = from_runs(signed(run(run_id)))

    assert isinstance(result, Invocation)
    assert (Kind.ACTION_RUN, run_id) == (result.kind, result.run_id)


@pytest.mark.parametrize("run_id", [123, 1.5, True, ["r_1"], {"a": 1}, "r_\ud800"])
def test_a_run_id_that_is_no_usable_text_is_malformed(run_id: Any) -> None:
    """Kept as a dead letter without an id; Port can be told nothing of it."""
    result = from_runs(signed(run(run_id)))

    assert isinstance(result, Refused)
    assert ("malformed", Kind.CHANGE_LOG, None) == (result.reason, result.kind, result.run_id)
    assert "invocationMethod" in result.text


@pytest.mark.parametrize("run_id", [None, "", 0, False, [], {}])
def test_without_run_id_it_is_delivered_like_a_change_log_event(run_id: Any) -> None:
    """If it has a url; otherwise there is nothing to do."""
    result = from_runs(signed(run(run_id)))

    assert isinstance(result, Invocation)
    assert (Kind.CHANGE_LOG, None) == (result.kind, result.run_id)
    assert Skipped("no_target") == from_runs(signed(run(run_id, url="")))


@pytest.mark.parametrize("context", [None, [], "r_1", 5])
def test_an_odd_context_has_no_run_id(context: Any) -> None:
    """As if it were absent."""
    result = from_runs(signed(run() | {"context": context}))

    assert isinstance(result, Invocation)
    assert result.run_id is None


@pytest.mark.parametrize(("run_id", "kind"), [("r_1", Kind.ACTION_RUN), ("wfnr_1", Kind.NODE_RUN)])
def test_a_bad_signature_keeps_what_would_have_been_delivered(run_id: str, kind: Kind) -> None:
    """So that a rotated secret costs no run: the dead letter can be sent after all."""
    raw = signed(run(run_id, synchronized=True), "the next secret, unknown to us")
    with_our_secret, with_their_secret = (
        from_runs(raw),
        classify_message(raw, Stream.RUNS, [SECRET, "the next secret, unknown to us"]),
    )

    assert isinstance(with_our_secret, Refused)
    assert isinstance(with_their_secret, Invocation)
    assert Refused("bad_signature", kind, run_id, with_their_secret.text, "deploy", True, "WEBHOOK") == with_our_secret


def test_a_change_log_key_on_the_runs_topic_does_not_skip_the_signature() -> None:
    """The topic decides, not the message."""
    message = run() | {"changelogDestination": {"type": "WEBHOOK", "agent": True, "url": URL}}

    assert isinstance(from_runs(json.dumps(message).encode()), Refused)
    assert isinstance(from_runs(signed(message)), Invocation)


def event(**fields: Any) -> dict[str, Any]:
    """A change log event for us."""
    return {
        "action": "UPDATE",
        "context": {"entity": "checkout"},
        "changelogDestination": {"type": "WEBHOOK", "agent": True, "url": "http://audit.internal/catalog"},
    } | fields


@pytest.mark.parametrize("run_id", ["r_1", "wfnr_1", 5, "\ud800"])
def test_a_change_log_event_is_never_a_run(run_id: Any) -> None:
    """It may be about one, and mention its id; the id is not taken."""
    result = change_log(json.dumps(event(context={"runId": run_id})).encode())

    assert isinstance(result, Invocation)
    assert (Kind.CHANGE_LOG, None, "change_log") == (result.kind, result.run_id, result.action)


def test_a_change_log_event_is_not_signed() -> None:
    """Nothing is verified and nothing taken out; `agent` is still needed, and so is a url."""
    message = event(headers={"X-Port-Signature": "wrong", "X-Port-Timestamp": 1})
    result = change_log(json.dumps(message).encode())

    assert isinstance(result, Invocation)
    assert message == json.loads(result.text)
    assert Skipped("not_for_agent") == change_log(json.dumps({"changelogDestination": None}).encode())
    assert Skipped("not_for_agent") == change_log(signed(run()))
    assert Skipped("no_target") == change_log(json.dumps({"changelogDestination": {"agent": True}}).encode())


def test_names_are_bounded_and_can_be_encoded() -> None:
    """They become parts of keys and log lines."""
    message = run(type="\ud800")
    message["payload"]["action"]["identifier"] = "é\udfff" + "x" * 5000
    result = from_runs(signed(message))

    assert isinstance(result, Invocation)
    assert "\\ud800" == result.type
    assert result.action.startswith("é\\udfffxxx")
    assert MAX_ACTION_CHARS + 10 > len(result.action)


def test_payloads_do_not_show_in_a_repr() -> None:
    """Whatever logs one of these logs no payload."""
    good, bad = from_runs(signed(run())), from_runs(signed(run(), "other"))

    assert "deployer.internal" not in repr(good) + repr(bad)


def test_large_and_deep_messages_are_delivered() -> None:
    """5 MB, 200 levels deep."""
    nested: Any = 1
    for _ in range(200):
        nested = {"a": nested}
    for extra in ({"deep": nested}, {"large": "x" * 5_000_000}, {"many": list(range(600_000))}):
        assert isinstance(from_runs(signed(run() | extra)), Invocation)


def test_no_secret_means_refused() -> None:
    """And a secret that is not UTF-8 is a secret like any other."""
    assert isinstance(classify_message(signed(run()), Stream.RUNS, []), Refused)
    assert isinstance(classify_message(signed(run()), Stream.RUNS, ["\udcff"]), Refused)


odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8)
odd_tree = st.recursive(
    odd, lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
)


def shaped(names: list[str], leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these keys, or anything else."""
    return st.dictionaries(st.sampled_from(names), leaf, max_size=len(names)) | odd_tree


methods = shaped(["agent", "type", "url", "synchronized", "method"], st.just(True) | st.just("GITLAB") | odd_tree)
messages = st.fixed_dictionaries(
    {},
    optional={
        "headers": shaped(["X-Port-Signature", "X-Port-Timestamp", "x"], odd_tree),
        "payload": shaped(["action", "properties"], shaped(["invocationMethod", "identifier"], methods)),
        "context": shaped(["runId"], odd_tree),
        "changelogDestination": methods,
    },
)


@given(message=messages | odd_tree, source=st.sampled_from(Stream), with_mark=st.booleans())
def test_no_message_raises(message: Any, source: Stream, with_mark: bool) -> None:
    """Whatever the types; and what is for us has a text that says the same and can be sent anywhere."""
    raw = json.dumps(message).encode()
    result = classify_message(b"\xef\xbb\xbf" + raw if with_mark else raw, source, [SECRET])

    if isinstance(result, Invocation | Refused):
        for text in (result.text, result.action, result.type, result.run_id or ""):
            text.encode()
        expected = Invocation | Refused if source is Stream.CHANGE_LOG else Refused
        assert isinstance(result, expected), "nobody can sign by chance"


@given(raw=st.binary(max_size=300), source=st.sampled_from(Stream))
def test_no_bytes_raise(raw: bytes, source: Stream) -> None:
    """Random bytes are skipped, or refused where they were claimed by polling."""
    assert isinstance(classify_message(raw, source, [SECRET]), Skipped if source in KAFKA else Refused)


@given(data=st.data())
def test_no_damaged_message_raises(data: st.DataObject) -> None:
    """A good message cut short, or with bytes replaced, is recognised as something; only the whole is accepted."""
    raw = bytearray(signed(run("r_1", note="Zürich 🚀", tiny=json_text.Literal("1e-7"))))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[at] = data.draw(st.integers(0, 255))
    prefix = bytes(raw[: data.draw(st.integers(0, len(raw)))])

    for source in Stream:
        classify_message(prefix, source, [SECRET])


@pytest.mark.parametrize(
    "unit", ["1.10", "-0", "1e5", "[]", "[" * 490 + "]" * 490, '{"a":1}', '""', '"\\ud800"', "[" * 600]
)
def test_what_is_made_to_be_expensive_is_not_read_before_it_is_trusted(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a 16 MiB message of this kind takes up to half a minute; anybody who can publish could send it."""
    values = ",".join([unit] * (1 + MAX_VALUES // unit.count("[") if "[[" in unit else 1 + MAX_VALUES))
    raw = signed(run()).replace(b"{", b'{"a":[' + values.encode() + b"],", 1)
    monkeypatch.setattr(json_text, "loads", lambda _: pytest.fail("it was read"))

    for result in (from_runs(raw), change_log(raw), from_runs(raw[:-1])):
        assert isinstance(result, Refused)
        assert (result.reason, result.kind, result.text) == ("too_complex", Kind.CHANGE_LOG, "")


@pytest.mark.parametrize("type", ["WEBHOOK", "GITLAB"])
def test_what_port_has_signed_is_read_however_many_values_it_has(type: str) -> None:
    """Its signature can be checked over the text as it stands, which costs next to nothing."""
    message = run(type=type) | {"numbers": [1.5] * MAX_VALUES}
    raw = signed(message)
    if type == "GITLAB":
        text = json_text.dumps(message, ascii=False)
        digest = hmac.new(SECRET.encode(), f"1767225600.{text}".encode(), hashlib.sha256).digest()
        headers = {"X-Port-Timestamp": "1767225600", "X-Port-Signature": f"v1,{base64.b64encode(digest).decode()}"}
        raw = json_text.dumps({"headers": headers} | message, ascii=False).encode()

    assert isinstance(from_runs(raw), Invocation)
    assert isinstance(from_runs(raw.replace(b"1.5,", b"1.6,", 1)), Refused)


def test_a_long_text_is_not_taken_for_many_values() -> None:
    """Only what stands outside of texts counts, and escaped quotes end none."""
    raw = signed(run() | {"note": '[{",\\' * MAX_VALUES})

    assert isinstance(from_runs(raw.replace(b'":', b'": ', 3)), Invocation)
