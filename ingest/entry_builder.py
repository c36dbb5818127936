"""From one invocation to its entry in the ledger, or to its dead letter: id, target, lane, payload, reports.

No message for us vanishes: what can never be delivered is kept as a dead letter with its reason, and reported to Port
where that is allowed.
"""

from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass

from ingest.source import Record, RunIdentity
from longshore.delivery.policy import RetryPolicy
from longshore.delivery.send_errors import BadUrl
from longshore.delivery.target import lane_of, target_of
from longshore.invocation import ids, json_text
from longshore.invocation.classify import Invocation, Refused
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping, MappingFault, Route, RouteResult, Unmatched
from longshore.ledger.entry import Entry
from longshore.ledger.order import make_order
from longshore.ledger.record import bond
from longshore.ledger.report_items import seal_item
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.port import reports
from longshore.port.report_codec import Report, encode_report
from longshore.telemetry.tracing import Traces

log = EventLog(__name__)

NO_TARGET = "-"
"""Target and lane of what never had one."""

MAX_LOGGED_LENGTH = 200
"""Most characters of a run id in a log line: a run id is text from outside."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What an entry needs to know of the invocation, refused or not."""

    id: str
    kind: Kind
    run: str
    synchronized: bool
    text: str
    verbatim: bool = False
    """As in `Entry`."""


class EntryBuilder:
    """Builds entries."""

    def __init__(
        self,
        mapping: Mapping,
        sealer: Sealer,
        policies: Table[Kind, RetryPolicy],
        *,
        fail_unmatched_nodes: bool,
        record_format: Callable[[], int] = lambda: 1,
        ack_after_s: float = 0,
        note_target: Callable[[str, int], None] | None = None,
        traces: Traces | None = None,
    ) -> None:
        """`record_format` is that of the records to be written now.

        `ack_after_s` is how long the ledger has had a claim before Port hears of it: longer than what a crash of Redis
        may lose.

        `note_target` is called with each target that is sent to, and the number of the mapping's entry.
        """
        self._mapping = mapping
        self._sealer = sealer
        self._policies = policies
        self._refined = {
            (kind, entry): policy.with_overrides(delivery)
            for kind, policy in policies.items()
            for entry, delivery in enumerate(mapping.deliveries)
        }
        self._note_target = note_target
        self._traces = traces or Traces(sealer)
        self._record_format = record_format
        self._ack_after_ms = round(1000 * ack_after_s)
        self._fail_unmatched_nodes = fail_unmatched_nodes
        self._received_reports = {kind: reports.received(kind) for kind in Kind}

    def build(self, record: Record, invocation: Invocation, route: RouteResult) -> Entry | None:
        """The entry of `invocation`, which the mapping routed so; None where it is left to other agents.

        What was claimed is left to nobody: no other agent gets it.
        """
        run = invocation.run_id or ""
        id = ids.run_id(run) if run else ids.event_id(record.key)
        verbatim = self._is_body(invocation, route)
        call = _Call(id, invocation.kind, run, invocation.synchronized, invocation.text, verbatim)
        if isinstance(route, Unmatched):
            if not (record.run or (self._fail_unmatched_nodes and invocation.kind is Kind.NODE_RUN)):
                return None
            return self._build_dead_letter(record, call, "no_mapping", "no mapping is enabled for it")
        if isinstance(route, MappingFault):
            return self._build_dead_letter(record, call, "mapping", str(route))
        try:
            target = self._resolve_target(route)
        except BadUrl as problem:
            return self._build_dead_letter(record, call, problem.reason, str(problem))
        mapping = self._mapping.reference(route.entry)
        lane = lane_of(target, invocation.action)
        if self._note_target is not None:
            self._note_target(target, route.entry)
        policy = self._refined[call.kind, route.entry]
        order = self._order_of(route, target)
        received = self._received_reports[call.kind]
        return self._make_entry(record, call, policy, target, lane, mapping, "", received, order)

    def _order_of(self, route: Route, target: str) -> str:
        """The order that the mapping asks for, among the invocations of one target; empty for none."""
        options = self._mapping.delivery(route.entry).order
        return make_order(self._sealer, target, route.order, options.behind_dead) if options and route.order else ""

    def _is_body(self, invocation: Invocation, route: RouteResult) -> bool:
        """Whether the worker is to be spared making a body of the text: it would be the same, and it would be sent."""
        return (
            isinstance(route, Route)
            and self._mapping.sends_message(route.entry)
            and json_text.is_outgoing(invocation.message, invocation.text)
        )

    def build_refused(self, record: Record, message: Refused) -> Entry:
        """The dead letter of a message for us that is not to be delivered."""
        identity = record.run or RunIdentity(message.kind, message.run_id or "")
        call = _Call(_refused_id(record), *identity, message.synchronized, message.text)
        return self._build_dead_letter(record, call, message.reason, message.cause)

    def build_unreadable(self, record: Record, reason: str) -> Entry:
        """The dead letter of a message that could not be read; it has no payload, the source still does."""
        identity = record.run or RunIdentity(Kind.CHANGE_LOG, "")
        return self._build_dead_letter(record, _Call(_refused_id(record), *identity, False, ""), reason, "")

    def _resolve_target(self, route: Route) -> str:
        """Where the invocation will go, as far as can be known before secret inputs are decrypted."""
        name = self._mapping.delivery(route.entry).target
        try:
            return name or target_of(route.url or "")
        except BadUrl:
            if self._mapping.decrypt_paths(route.entry):
                # The URL may be among what is still encrypted: the worker finds the real target and defers into it.
                return NO_TARGET
            raise

    def _build_dead_letter(self, record: Record, call: _Call, reason: str, cause: str) -> Entry:
        log.event(
            events.INGEST_DEAD_LETTERED,
            id=call.id,
            run_id=call.run[:MAX_LOGGED_LENGTH],
            kind=call.kind.value,
            reason=reason,
            cause=cause,
            origin=record.origin,
        )
        initial_reports = reports.refused(call.kind, reason, cause)
        return self._make_entry(
            record, call, self._policies[call.kind], NO_TARGET, NO_TARGET, "", reason, initial_reports
        )

    def _make_entry(
        self,
        record: Record,
        call: _Call,
        policy: RetryPolicy,
        target: str,
        lane: str,
        mapping: str,
        dead: str,
        initial_reports: list[Report],
        order: str = "",
    ) -> Entry:
        record_format = self._record_format()
        payload = call.text.encode("utf-8", "surrogatepass")
        return Entry(
            id=call.id,
            kind=call.kind,
            run=call.run,
            target=target,
            lane=lane,
            synchronized=call.synchronized,
            origin=record.origin,
            published_ms=max(0, record.timestamp_ms),
            mapping=mapping,
            payload=self._sealer.seal(payload, bond(record_format, "payload", call.id, run=call.run)),
            unknown_outcome=policy.unknown_outcome,
            max_attempts=policy.max_attempts,
            dead=dead,
            verbatim=call.verbatim,
            order=order,
            ack_after_ms=self._ack_after_ms if record.run else None,
            trace=self._traces.accepted(
                record.trace,
                {"longshore.id": call.id, "longshore.kind": call.kind.value, "longshore.target": target},
                bond(record_format, "trace", call.id),
            ),
            reports=tuple(
                seal_item(
                    self._sealer,
                    report.kind,
                    encode_report(report),
                    format=record_format,
                    id=call.id,
                    generation=1,
                    run=call.run,
                )
                for report in initial_reports
            ),
            format=record_format,
        )


def _refused_id(record: Record) -> str:
    """Under which id the dead letter of `record` is kept: its run's, where Port says which that is."""
    return ids.run_id(record.run.run_id) if record.run else ids.refused_id(record.key)
