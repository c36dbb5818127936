"""A dry run of one message: the request it becomes, and the reports to Port. Nothing is sent or stored.

Calls the functions that ingest and worker call, so that its result cannot differ from what they do.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from config.host_table_files import follow_targets
from config.settings import Settings
from longshore.delivery.outcome import Outcome, Response, Verdict, classify_status
from longshore.delivery.policy import Dead, Step, next_step
from longshore.delivery.request import SignedRequest, decode_headers, prepare
from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.delivery.send_errors import Unsendable
from longshore.delivery.target_options import choose_credentials
from longshore.invocation import ids
from longshore.invocation.classify import Invocation, Refused, Skipped, classify_message
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping, MappingFault, Route
from longshore.invocation.mask_spans import MASK
from longshore.invocation.signature import SIGNATURE
from longshore.invocation.stream import Stream, get_object
from longshore.operations.attempt_reports import MappedReport, RunContext, build_reports, evaluate_mapped_report
from longshore.operations.masked_request import as_mapped, as_sent
from longshore.operations.response_masking import mask_outcome
from longshore.port import reports
from longshore.port.api_calls import build_calls
from longshore.port.report_codec import Report

_follow_targets = lru_cache(maxsize=1)(follow_targets)

Respond = Callable[[SignedRequest], Response | Outcome | None]
"""What a target answers to a request: a response, another outcome, or None to leave that open."""


@dataclass(slots=True)
class DryRunResult:
    """The result for one message. `sent` says whether a request would be sent."""

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


def derive_stream(message: Any) -> Stream:
    """The stream of a message: only change log events have a destination and no invocation method."""
    method = get_object(message, "payload", "action", "invocationMethod")
    return Stream.CHANGE_LOG if get_object(message, "changelogDestination") and not method else Stream.RUNS


def dry_run(
    raw: bytes, source: Stream, mapping: Mapping, settings: Settings, response: Response | None
) -> DryRunResult:
    """The result for the Kafka value `raw` if its target answered `response`; None leaves the response open.

    Decrypted values and client secrets are masked in all of it. Raises `JqUnavailable`.
    """
    return dry_run_against(raw, source, mapping, settings, lambda _: response)


def dry_run_against(
    raw: bytes, source: Stream, mapping: Mapping, settings: Settings, respond: Respond, id: str = ""
) -> DryRunResult:
    """The same, with an answer that depends on the request, which is passed to `respond` as it would be sent.

    That request is the only part with secrets in it. `id` is that of the invocation, where it is known: the id of a
    change log event is its place in Kafka. Raises `JqUnavailable`.
    """
    message = classify_message(raw, source, settings.secrets)
    if isinstance(message, Skipped):
        return DryRunResult(skipped=True, problem=f"the agent skips it: {message.reason}")
    result = DryRunResult(kind=message.kind.value, run_id=message.run_id)
    if isinstance(message, Refused) and message.reason != "bad_signature":
        result.problem = f"the agent refuses it: {message.reason}"
        return result
    result.signature = _check_signature(raw, source, message, settings)
    if result.signature == "bad":
        result.notes.append("its signature does not fit PORT_CLIENT_SECRET: the agent would refuse it")
    _DryRun(message, mapping, settings, result, id).run(respond)
    return result


class _DryRun:
    """One message, from the mapping to the reports; also for a message whose signature is wrong."""

    def __init__(
        self, message: Invocation | Refused, mapping: Mapping, settings: Settings, result: DryRunResult, id: str
    ) -> None:
        self._message = message
        self._id = id or (ids.run_id(message.run_id) if message.run_id else "")
        self._mapping = mapping
        self._settings = settings
        self._builder = RequestBuilder(mapping, settings.secrets, settings.secrets_to_mask)
        self._result = result

    def run(self, respond: Respond) -> None:
        """Fills in the result."""
        try:
            entry = self._result.entry = self._builder.select_entry(self._message.text)
            if entry is None:
                self._skip()
                return
            self._note_order(entry)
            built_request = self._build_request(entry)
            prepared_request = self._prepare(built_request)
        except MappingFault as fault:
            self._fail("mapping", str(fault))
            return
        except Unsendable as problem:
            self._fail(problem.reason, problem.cause)
            return
        self._result.sent = True
        if not self._settings.secrets:
            self._add_notes("PORT_CLIENT_SECRET is not set: the signature is not the one that would be sent")
        response = respond(prepared_request)
        if response is not None:
            self._apply_response(built_request, decode_headers(prepared_request.headers), response)

    def _skip(self) -> None:
        self._result.skipped, self._result.problem = True, "no mapping is enabled for it"
        if self._message.kind is Kind.NODE_RUN and self._settings.unmatched_node_runs == "fail":
            self._record_calls(reports.refused(self._message.kind, "no_mapping", self._result.problem))

    def _note_order(self, entry: int) -> None:
        if self._mapping.delivery(entry).order is None:
            return
        route = self._mapping.routes([self._message.text])[0]
        key = route.order if isinstance(route, Route) else ""
        self._add_notes(f"it is delivered in the order of its key: {key}" if key else "its order has no key for it")

    def _build_request(self, entry: int) -> BuiltRequest:
        message = self._builder.decrypt(self._message.text, entry)
        if self._mapping.decrypt_paths(entry) and not self._settings.secrets:
            self._add_notes("PORT_CLIENT_SECRET is not set: nothing is decrypted")
        else:
            self._add_notes(*(f"{path}: cannot be decrypted, is sent as it came" for path in message.failed_paths))
        built_request = self._builder.build(message, entry)
        self._result.request = as_mapped(built_request)
        return built_request

    def _prepare(self, built_request: BuiltRequest) -> SignedRequest:
        """The request as it would go over the wire. Raises `Unsendable`."""
        settings = self._settings
        self._builder.resolve_target(built_request)
        identity = settings.request_identity.with_overrides(self._mapping.delivery(built_request.entry))
        key = identity.build_key(self._id, generation=1)
        sign = identity.choose_signature(settings.webhook_signer, key)
        prepared_request = prepare(
            built_request.request,
            {**identity.build_headers(key), **self._build_credential(built_request)},
            settings.port_client_secret,
            time.time(),
            sign,
        )
        self._result.request = as_sent(prepared_request, built_request)
        self._builder.check_variables(built_request)
        return prepared_request

    def _build_credential(self, built_request: BuiltRequest) -> dict[str, str]:
        """The header that a worker would add for the target, without what would stand in it."""
        delivery = self._mapping.delivery(built_request.entry)
        targets = _follow_targets(self._settings.targets_file)()
        options = choose_credentials(delivery, targets, built_request.request)
        return {} if options is None else {options.header: MASK}

    def _apply_response(
        self, built_request: BuiltRequest, headers: dict[str, str], response: Response | Outcome
    ) -> None:
        kind = self._message.kind
        outcome = self._builder.judge(built_request, replace(_as_outcome(response), headers=headers))
        verdict = outcome.verdict
        policy = self._settings.retry_policy(kind).with_overrides(self._mapping.delivery(built_request.entry))
        step = next_step(outcome, policy.max_attempts, 0.0, policy, 0.0)
        if verdict is Verdict.RETRY or (verdict is Verdict.UNKNOWN and policy.unknown_outcome == "retry"):
            self._add_notes(f"it would be sent up to {policy.max_attempts} times; this is what follows the last one")
        masked_outcome = mask_outcome(outcome, built_request.mask)
        report = evaluate_mapped_report(self._builder, built_request, kind, outcome, masked_outcome, step)
        self._result.report = report.values
        self._finish(step, masked_outcome, report)

    def _fail(self, reason: str, cause: str) -> None:
        self._result.problem = cause
        self._finish(Dead(reason), Outcome(Verdict.GIVE_UP, False, reason, cause), MappedReport())

    def _finish(self, step: Step, outcome: Outcome, report: MappedReport) -> None:
        run = RunContext(self._message.kind, self._message.synchronized)
        ending = build_reports(step, outcome, run, report, self._settings.detailed_logging)
        self._record_calls([*reports.received(run.kind), *ending])

    def _record_calls(self, port_reports: list[Report]) -> None:
        api_calls = build_calls(self._message.kind, self._message.run_id or "", port_reports)
        self._result.calls = [{"method": call.method, "path": call.path, "json": call.json} for call in api_calls]

    def _add_notes(self, *notes: str) -> None:
        self._result.notes += notes


def _as_outcome(response: Response | Outcome) -> Outcome:
    if isinstance(response, Outcome):
        return response
    verdict, _ = classify_status(response.status)
    reason = "delivered" if verdict is Verdict.DELIVERED else f"http_{response.status}"
    return Outcome(verdict, True, reason, f"HTTP {response.status}", response.status, response=response)


def _check_signature(raw: bytes, source: Stream, message: Invocation | Refused, settings: Settings) -> str:
    if source is not Stream.RUNS:
        return "none"
    if isinstance(message, Invocation):
        return "valid"
    if SIGNATURE not in get_object(json.loads(raw), "headers"):
        return "none"
    return "bad" if settings.secrets else "not checked"
