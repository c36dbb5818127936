"""The four calls of Port's polling API (wire contract, Port API calls): what to send, and what the answers mean."""

from dataclasses import dataclass, field
from typing import Any

from longshore.errors import PortRefused, PortUnavailable
from longshore.invocation import json_text
from longshore.invocation.kinds import Kind
from longshore.invocation.stream import Stream
from longshore.ledger.acknowledgements import AckVerdict, PendingAck
from longshore.port import PortClient

INSTALLATION_ID = "_PORT_EXEC_AGENT"
"""Under which Port knows its execution agents, all of an organization's together."""

_HEADERS = {"x-port-reserved-usage": "true"}

_MAX_DEPTH = 10_000
"""An object that is nested deeper than we read is refused by itself, not with all that came along with it."""


@dataclass(frozen=True, slots=True)
class RunApi:
    """The two calls for one kind of run."""

    kind: Kind
    stream: Stream
    claim_path: str
    list_key: str
    ack_path: str
    ack_key: str
    """Of the answer to an acknowledgement: a count, or whether it was taken."""
    claim_body: dict[str, Any] = field(default_factory=dict)

    def ack_body(self, run: str) -> dict[str, Any]:
        """What acknowledges `run`, and no other: of several at once the answer would not say which."""
        return {"nodeRunIdentifier": run} if self.kind is Kind.NODE_RUN else {"runIds": [run]}


APIS = (
    RunApi(
        Kind.ACTION_RUN,
        Stream.POLLED_RUNS,
        claim_path="/v1/actions/runs/claim-pending",
        list_key="runs",
        ack_path="/v1/actions/runs/ack",
        ack_key="ackedCount",
        claim_body={"invocationMethod": "WEBHOOK"},
    ),
    RunApi(
        Kind.NODE_RUN,
        Stream.POLLED_NODE_RUNS,
        claim_path="/v1/workflows/runs/claim-pending",
        list_key="nodeRuns",
        ack_path="/v1/workflows/runs/ack",
        ack_key="acked",
    ),
)
"""In the order in which they are polled."""

_BY_KIND = {api.kind: api for api in APIS}


class PollingClient:
    """Claims and acknowledges runs. Thread safe."""

    def __init__(self, port: PortClient) -> None:
        self._port = port

    def claim(self, api: RunApi, limit: int) -> list[Any]:
        """Up to `limit` runs, as Port describes them; nobody else gets them for a while, and nobody at all once acked.

        Raises as `PortClient.call`, and PortUnavailable for an answer that makes no sense. Runs in an answer that is
        lost are given out again when their claim lapses.
        """
        body = {"installationId": INSTALLATION_ID, "limit": limit, **api.claim_body}
        reply = self._port.call("POST", api.claim_path, body, _HEADERS)
        try:
            answer = json_text.loads(reply.content, _MAX_DEPTH)
        except json_text.Malformed:
            answer = None
        runs = answer.get(api.list_key) or [] if isinstance(answer, dict) else None
        if not isinstance(runs, list):
            raise PortUnavailable(f"Port answered {api.claim_path} without a list of runs")
        return runs

    def acknowledge(self, ack: PendingAck) -> AckVerdict:
        """Tell Port that we have a run, and say what that makes of it.

        An answer that was lost may have been a yes, and then nobody else will ever get the run: so it is ours. A
        refusal of the first acknowledgement means that somebody else has it; that of a later one may be the
        consequence of our own first.
        """
        api = _BY_KIND[ack.kind]
        try:
            body = self._port.call("PATCH", api.ack_path, api.ack_body(ack.run), _HEADERS).body
        except PortUnavailable as error:
            return AckVerdict.OURS if error.may_be_taken else AckVerdict.NOT_HEARD
        except PortRefused:
            is_refused = True
        else:
            answer = body.get(api.ack_key) if isinstance(body, dict) else None
            is_refused = answer is not None and not answer
        return AckVerdict.NOT_OURS if is_refused and ack.is_first else AckVerdict.OURS
