"""What the four calls ask, and what each answer means."""

from typing import Any

import pytest

from ingest.polling.client import APIS, PollingClient
from longshore.errors import PortRefused, PortUnavailable
from longshore.invocation.kinds import Kind
from longshore.ledger.acknowledgements import AckVerdict, PendingAck
from tests.unit.ingest.polling_port import MemoryPort, action_object, node_object

ACTIONS, NODES = APIS


@pytest.fixture
def port() -> MemoryPort:
    return MemoryPort()


@pytest.fixture
def client(port: Any) -> PollingClient:
    return PollingClient(port)


def pending(kind: Kind = Kind.ACTION_RUN, *, is_first: bool = True) -> PendingAck:
    run = "wfnr_1" if kind is Kind.NODE_RUN else "r_1"
    return PendingAck(run, kind, run, 1, is_first)


def test_the_calls_are_those_of_the_original(port: MemoryPort, client: PollingClient) -> None:
    """Paths, methods, the reserved header and required keys are checked by the double; here the exact bodies."""
    port.claims.offer(action_object("r_1"), node_object("wfnr_1"))

    assert [["r_1"], ["wfnr_1"]] == [
        [run.get("id") or run.get("identifier") for run in client.claim(api, 100)] for api in APIS
    ]
    client.acknowledge(pending())
    client.acknowledge(pending(Kind.NODE_RUN))
    assert port.calls == [
        ("claim_runs", {"installationId": "_PORT_EXEC_AGENT", "limit": 100, "invocationMethod": "WEBHOOK"}),
        ("claim_nodes", {"installationId": "_PORT_EXEC_AGENT", "limit": 100}),
        ("ack_runs", {"runIds": ["r_1"]}),
        ("ack_node", {"nodeRunIdentifier": "wfnr_1"}),
    ]


@pytest.mark.parametrize("answer", [{}, {"runs": None}, {"runs": []}])
def test_an_answer_without_runs_is_none(port: MemoryPort, client: PollingClient, answer: Any) -> None:
    """An absent list is an empty one."""
    port.answers.append(answer)

    assert [] == client.claim(ACTIONS, 1)


@pytest.mark.parametrize("answer", [[], "runs", 1, None, {"runs": {"id": "r_1"}}, {"runs": "r_1"}])
def test_an_answer_that_makes_no_sense_is_a_failed_poll(port: MemoryPort, client: PollingClient, answer: Any) -> None:
    """Not an empty one: it may be a proxy's."""
    port.answers.append(answer)

    with pytest.raises(PortUnavailable):
        client.claim(ACTIONS, 1)


@pytest.mark.parametrize(
    ("kind", "answer", "first", "later"),
    [
        (Kind.ACTION_RUN, {"ackedCount": 1}, AckVerdict.OURS, AckVerdict.OURS),
        (Kind.ACTION_RUN, {"ackedCount": 0}, AckVerdict.NOT_OURS, AckVerdict.OURS),
        (Kind.NODE_RUN, {"acked": True}, AckVerdict.OURS, AckVerdict.OURS),
        (Kind.NODE_RUN, {"acked": False}, AckVerdict.NOT_OURS, AckVerdict.OURS),
        # What cannot be understood is no refusal.
        (Kind.ACTION_RUN, {}, AckVerdict.OURS, AckVerdict.OURS),
        (Kind.NODE_RUN, "yes", AckVerdict.OURS, AckVerdict.OURS),
        (Kind.ACTION_RUN, PortRefused("ack", 409), AckVerdict.NOT_OURS, AckVerdict.OURS),
        (Kind.NODE_RUN, PortRefused("ack", 404), AckVerdict.NOT_OURS, AckVerdict.OURS),
        # No answer may have been a yes.
        (Kind.ACTION_RUN, PortUnavailable("read timeout", may_be_taken=True), AckVerdict.OURS, AckVerdict.OURS),
        (Kind.NODE_RUN, PortUnavailable("500", None, 500, True), AckVerdict.OURS, AckVerdict.OURS),
        # Surely not heard.
        (Kind.ACTION_RUN, PortUnavailable("no connection"), AckVerdict.NOT_HEARD, AckVerdict.NOT_HEARD),
        (Kind.NODE_RUN, PortUnavailable("429", 1, 429), AckVerdict.NOT_HEARD, AckVerdict.NOT_HEARD),
    ],
)
def test_what_an_answer_makes_of_a_run(
    port: MemoryPort, client: PollingClient, kind: Kind, answer: Any, first: AckVerdict, later: AckVerdict
) -> None:
    """A refusal counts only where no earlier acknowledgement can have caused it."""
    for is_first, verdict in ((True, first), (False, later)):
        (port.faults if isinstance(answer, Exception) else port.answers).append(answer)
        assert verdict is client.acknowledge(pending(kind, is_first=is_first))
