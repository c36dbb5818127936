"""What an agent would make of one message: the request, and what Port would be told. Nothing is sent or stored.

Goes through the very code of ingest and worker, so that it cannot tell anything else than what they do.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from requests.models import PreparedRequest

from config.settings import Settings
from longshore.delivery.outcome import Outcome, Response, Verdict, classify_status
from longshore.delivery.policy import Dead, Step, next_step
from longshore.delivery.request import prepare
from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.delivery.send_errors import Unsendable
from longshore.invocation import ids
from longshore.invocation.classify import Invocation, Refused, Skipped, classify_message
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping, MappingFault
from longshore.invocation.signature import SIGNATURE
from longshore.invocation.stream import Stream, get_object
from longshore.operations.attempt_reports import MappedReport, Run, mapped_report, reports_after
from longshore.operations.masked_request import as_mapped, as_sent, header_texts
from longshore.operations.response_masking import mask_outcome
from longshore.port import reports
from longshore.port.api_calls import build_calls
from longshore.port.report_codec import Report


@dataclass(slots=True)
class DryRunResult:
    """What would become of a message. `sent` says whether a request would leave at all."""

    kind: str = ""
    run_id: str | None = None
    signature: str = ""
    entry: int | None = None
    sent: bool = False
    skipped: bool = False
    """Whether the agent would leave the message alone, so that nothing happens at all."""
    problem: str | None = None
    """Why it would not be delivered."""
    request: dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def source_of(message: Any) -> Stream:
    """The topic a message must be from: only change log events have a destination and no invocation method."""
    method = get_object(message, "payload", "action", "invocationMethod")
    return Stream.CHANGE_LOG if get_object(message, "changelogDestination") and not method else Stream.RUNS


def dry_run(
    raw: bytes, source: Stream, mapping: Mapping, settings: Settings, response: Response | None
) -> DryRunResult:
    """What would become of the Kafka value `raw` if its target answered `response`; None where that is left open.

    Decrypted values and client secrets are masked in all of it. Raises `JqUnavailable`.
    """
    recognised = classify_message(raw, source, settings.secrets)
    if isinstance(recognised, Skipped):
        return DryRunResult(skipped=True, problem=f"the agent skips it: {recognised.reason}")
    result = DryRunResult(kind=recognised.kind.value, run_id=recognised.run_id)
    if isinstance(recognised, Refused) and recognised.reason != "bad_signature":
        result.problem = f"the agent refuses it: {recognised.reason}"
        return result
    result.signature = _signature(raw, source, recognised, settings)
    if result.signature == "bad":
        result.notes.append("its signature does not fit PORT_CLIENT_SECRET: the agent would refuse it")
    _DryRun(recognised, mapping, settings, result).run(response)
    return result


class _DryRun:
    """The way of one message that is read although its signature may be wrong, up to what Port would be told."""

    def __init__(
        self, message: Invocation | Refused, mapping: Mapping, settings: Settings, result: DryRunResult
    ) -> None:
        self._message = message
        self._mapping = mapping
        self._settings = settings
        self._builder = RequestBuilder(mapping, settings.secrets, settings.masked)
        self._result = result

    def run(self, response: Response | None) -> None:
        """Fills in the result."""
        try:
            entry = self._result.entry = self._builder.select_entry(self._message.text)
            if entry is None:
                self._left_alone()
                return
            built = self._built(entry)
            prepared = self._prepared(built)
        except MappingFault as fault:
            self._fails("mapping", str(fault))
            return
        except Unsendable as problem:
            self._fails(problem.reason, problem.cause)
            return
        self._result.sent = True
        if not self._settings.secrets:
            self._note("PORT_CLIENT_SECRET is not set: the signature is not the one that would be sent")
        if response is not None:
            self._answered(built, header_texts(prepared), response)

    def _left_alone(self) -> None:
        self._result.skipped, self._result.problem = True, "no mapping is enabled for it"
        if self._message.kind is Kind.NODE_RUN and self._settings.unmatched_node_runs == "fail":
            self._tells(reports.refused(self._message.kind, "no_mapping", self._result.problem))

    def _built(self, entry: int) -> BuiltRequest:
        message = self._builder.decrypt(self._message.text, entry)
        if self._mapping.decrypt_paths(entry) and not self._settings.secrets:
            self._note("PORT_CLIENT_SECRET is not set: nothing is decrypted")
        else:
            self._note(*(f"{path}: cannot be decrypted, is sent as it came" for path in message.failed))
        built = self._builder.build(message, entry)
        self._result.request = as_mapped(built)
        return built

    def _prepared(self, built: BuiltRequest) -> PreparedRequest:
        """The request as it would go over the wire. Raises `Unsendable`."""
        self._builder.resolve_target(built)
        prepared = prepare(built.request, self._extra_headers(), self._settings.port_client_secret, time.time())
        self._result.request = as_sent(prepared, built)
        self._builder.check_variables(built)
        return prepared

    def _answered(self, built: BuiltRequest, headers: dict[str, str], response: Response) -> None:
        kind = self._message.kind
        verdict, _ = classify_status(response.status)
        reason = "delivered" if verdict is Verdict.DELIVERED else f"http_{response.status}"
        cause = f"HTTP {response.status}"
        outcome = Outcome(verdict, True, reason, cause, response.status, response=response, headers=headers)
        policy = self._settings.retry_policy(kind).with_overrides(self._mapping.delivery(built.entry))
        step = next_step(outcome, policy.max_attempts, 0.0, policy, 0.0)
        if verdict is Verdict.RETRY or (verdict is Verdict.UNKNOWN and policy.unknown == "retry"):
            self._note(f"it would be sent up to {policy.max_attempts} times; this is what follows the last one")
        masked = mask_outcome(outcome, built.mask)
        report = mapped_report(self._builder, built, kind, outcome, masked, step)
        self._result.report = report.values
        self._ends(step, masked, report)

    def _fails(self, reason: str, cause: str) -> None:
        self._result.problem = cause
        self._ends(Dead(reason), Outcome(Verdict.GIVE_UP, False, reason, cause), MappedReport())

    def _ends(self, step: Step, outcome: Outcome, report: MappedReport) -> None:
        run = Run(self._message.kind, self._message.synchronized)
        ending = reports_after(step, outcome, run, report, self._settings.detailed_logging)
        self._tells([*reports.received(run.kind), *ending])

    def _tells(self, told: list[Report]) -> None:
        made = build_calls(self._message.kind, self._message.run_id or "", told)
        self._result.calls = [{"method": call.method, "path": call.path, "json": call.json} for call in made]

    def _note(self, *notes: str) -> None:
        self._result.notes += notes

    def _extra_headers(self) -> dict[str, str]:
        name, run = self._settings.idempotency_header, self._message.run_id
        # That of a change log event is its place in Kafka.
        return {name: ids.run_id(run)} if name and run else {}


def _signature(raw: bytes, source: Stream, recognised: Invocation | Refused, settings: Settings) -> str:
    if source is not Stream.RUNS:
        return "none"
    if isinstance(recognised, Invocation):
        return "valid"
    if SIGNATURE not in get_object(json.loads(raw), "headers"):
        return "none"
    return "bad" if settings.secrets else "not checked"
