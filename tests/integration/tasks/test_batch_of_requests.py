"""The requests of many attempts are those that each would give alone, and jq is asked once for all of them."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.invocation.decrypted import DecryptedMessage
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import JqLimits, JqUnavailable, Mapping
from longshore.invocation.mapping.jq import JqEngine
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.record import bond
from longshore.ledger.seal import Sealer
from longshore.sandbox.publisher import action_run, gitlab_run
from longshore.telemetry import metrics
from tasks.worker.attempt_request import (
    AddressedRequest,
    RequestNotBuildable,
    build_requests,
)
from tests.support.encrypted_input import encrypted

SECRET = "client-secret-0123456789-abcdefghijklmnop"
URL = "http://deployer.internal:8080/hooks/port"
NEEDS_JQ = '"post" | ascii_upcase'
ENTRIES: list[dict[str, Any]] = [
    {"enabled": '.action == "plain"', "method": NEEDS_JQ},
    {
        "enabled": '.action == "decrypted"',
        "fieldsToDecryptPaths": ["payload.properties.note"],
        "body": {"note": ".payload.properties.note"},
    },
    {"enabled": '.action == "endless"', "body": {"n": "def f: f; f"}},
    {"enabled": '.action == "wrong"', "headers": "1"},
    {"enabled": '.action == "named"', "method": NEEDS_JQ, "delivery": {"target": "ci"}},
    {
        "enabled": '.action == "run_pipeline"',
        "url": '"http://gitlab"',
        "body": {"token": '.payload.action.invocationMethod | env[(.groupName | gsub("/"; "_")) + "_" + .projectName]'},
    },
]


@pytest.fixture
def mapping() -> Iterator[Mapping]:
    """With an entry for each thing that can happen to a message."""
    with closing(Mapping(json.dumps(ENTRIES).encode(), {}, JqLimits(cpu_s=0.2))) as mapping:
        yield mapping


@pytest.fixture
def builder(mapping: Mapping) -> RequestBuilder:
    """As a worker has it."""
    return RequestBuilder(mapping, [SECRET], [SECRET])


SEALER = Sealer(SECRET)


def attempt(text: str, mapping: str = "", id: str = "r_1", **fields: Any) -> StartedAttempt:
    """An attempt for the message `text`."""
    plain = StartedAttempt(
        id=id, token=1, format=2, payload=SEALER.seal(text.encode(), bond(2, "payload", id, run=id)),
        kind=Kind.ACTION_RUN, run=id, synchronized=False, target="http://a:80", lane="http://a:80 deploy", number=1,
        generation=1, published_ms=0, accepted_ms=0, first_ms=0, origin="org.runs/0/0", mapping=mapping,
        unknown_outcome="park", max_attempts=8,
    )  # fmt: skip
    return replace(plain, **fields)


def run_of(action: str, **properties: Any) -> str:
    """The message of an action run."""
    return json.dumps(action_run("r_1", URL, action=action, properties=properties or None))


def attempts_of(mapping: Mapping) -> dict[str, StartedAttempt]:
    """One for each thing that can happen."""
    return {
        "plain": attempt(run_of("plain"), mapping.reference(0)),
        "foreign": attempt(run_of("plain"), mapping.reference(0), run="r_2"),
        "decrypted": attempt(run_of("decrypted", note=encrypted("hunter2-hunter2", SECRET)), mapping.reference(1)),
        "undecryptable": attempt(run_of("decrypted", note="plain"), mapping.reference(1)),
        "endless": attempt(run_of("endless"), mapping.reference(2)),
        "wrong": attempt(run_of("wrong"), mapping.reference(3)),
        "named": attempt(run_of("named"), mapping.reference(4)),
        "large": attempt(run_of("plain", text="x" * 100_000), mapping.reference(0)),
        "no url": attempt("{}", mapping.reference(0)),
        "no json": attempt("{", mapping.reference(0)),
        "unmapped": attempt(run_of("other")),
        "of another file": attempt(run_of("plain"), "0123456789abcdef/1"),
        "of another file too": attempt(run_of("named"), "0123456789abcdef/0"),
        "no json of another file": attempt("{", "0123456789abcdef/0"),
        "no token": attempt(json.dumps(gitlab_run("r_1", "group", "project")), mapping.reference(5)),
        "plain too": attempt(run_of("plain", n=2), mapping.reference(0)),
    }


def plain(result: AddressedRequest | Exception) -> Any:
    """A result as values that can be compared."""
    if isinstance(result, AddressedRequest):
        return result.target, result.lane, result.built.entry, result.built.request, result.built.message
    return type(result), result.args


def test_a_batch_gives_what_each_would_give_alone(mapping: Mapping, builder: RequestBuilder) -> None:
    """Whatever the others in it are: undecryptable, cut off by jq, of another mapping file, not for us."""
    attempts = attempts_of(mapping)
    alone = {name: build_requests([each], SEALER, builder)[0] for name, each in attempts.items()}
    together = dict(zip(attempts, build_requests(list(attempts.values()), SEALER, builder), strict=True))

    assert {name: plain(result) for name, result in alone.items()} == {
        name: plain(result) for name, result in together.items()
    }
    reasons = {name: result.reason for name, result in together.items() if isinstance(result, RequestNotBuildable)}
    assert {
        "foreign": "foreign", "endless": "mapping", "wrong": "mapping", "no url": "bad_url", "no json": "mapping",
        "unmapped": "no_mapping", "no json of another file": "mapping",
    } == {name: reason for name, reason in reasons.items() if name != "no token"}  # fmt: skip
    assert "ci" == together["named"].target  # type: ignore[union-attr]


def test_what_cannot_be_decrypted_is_sent_on_and_counted(mapping: Mapping, builder: RequestBuilder) -> None:
    """As the original sends it; the receiver sees that it is no value."""
    before = metrics.DECRYPTION_FAILURES._value.get()
    (result,) = build_requests([attempts_of(mapping)["undecryptable"]], SEALER, builder)

    assert isinstance(result, AddressedRequest)
    assert json.loads(result.built.request.body or b"") == {"note": "plain"}
    assert metrics.DECRYPTION_FAILURES._value.get() == before + 1


def test_jq_is_asked_once_for_a_batch_and_a_mapping(
    mapping: Mapping, builder: RequestBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for large messages: they would keep the others waiting."""
    asked: list[int] = []
    evaluate = JqEngine.evaluate
    monkeypatch.setattr(
        JqEngine,
        "evaluate",
        lambda engine, jobs: asked.append(len(jobs)) or evaluate(engine, jobs),  # type: ignore[func-returns-value]
    )
    small, large = run_of("plain"), run_of("plain", text="x" * 100_000)
    batch = [attempt(text, mapping.reference(0)) for text in (small, large, small, small)]
    batch.append(attempt(run_of("named"), mapping.reference(4)))

    assert all(isinstance(result, AddressedRequest) for result in build_requests(batch, SEALER, builder))
    assert [1, 1, 3] == sorted(asked)


def test_a_fault_of_ours_ends_one_request_of_a_batch(
    mapping: Mapping, builder: RequestBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those around it; and jq that cannot be asked says nothing of any."""
    variables = Mapping.variables

    def faulty(mapping: Mapping, entry: int, *others: Any) -> dict[str, str]:
        if entry == 4:
            raise ZeroDivisionError("hunter2")
        return variables(mapping, entry, *others)

    monkeypatch.setattr(Mapping, "variables", faulty)
    batch = [attempt(run_of("plain"), mapping.reference(0)), attempt(run_of("named"), mapping.reference(4))]
    good, bad = build_requests(batch, SEALER, builder)

    assert isinstance(good, AddressedRequest)
    assert isinstance(bad, RequestNotBuildable)
    assert ("unexpected", "a fault of the agent (ZeroDivisionError)") == (bad.reason, bad.cause)
    mapping.close()
    assert all(isinstance(result, JqUnavailable) for result in build_requests(batch, SEALER, builder))


def test_a_message_that_is_the_body_is_sent_as_it_is(mapping: Mapping, builder: RequestBuilder) -> None:
    """Not where the mapping has a body of its own, or something was decrypted."""
    texts = [run_of("plain"), run_of("decrypted", note=encrypted("hunter2-hunter2", SECRET))]
    batch = [
        attempt(text, mapping.reference(entry), verbatim=True, format=3, payload=_sealed(text))
        for entry, text in enumerate(texts)
    ]
    sent, mapped = (result.built for result in build_requests(batch, SEALER, builder))  # type: ignore[union-attr]

    assert texts[0] == sent.request.body
    assert '{"note":"hunter2-hunter2"}' == mapped.request.body
    assert not mapped.message.verbatim


def test_builds_of_no_messages_ask_for_nothing(builder: RequestBuilder) -> None:
    """As when all of a batch were refused before."""
    assert [] == builder.build_many([])
    assert isinstance(builder.build(DecryptedMessage(run_of("plain")), 0), BuiltRequest)


def _sealed(text: str) -> bytes:
    return SEALER.seal(text.encode(), bond(3, "payload", "r_1", run="r_1"))
