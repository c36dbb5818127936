"""What an agent would make of one message: the request, and what Port would hear. Nothing is sent, nothing is stored.

Goes through the very code of ingest and worker, so that it cannot tell anything else than what they do.
"""

import json
import time
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from typing import Any

from requests.models import PreparedRequest

from config.settings import Settings
from longshore.delivery.errors import BadUrl, Unsendable
from longshore.delivery.outcome import Outcome, Response, Verdict, classify
from longshore.delivery.request import prepare
from longshore.delivery.target import target_of
from longshore.invocation import ids
from longshore.invocation.gitlab import missing_token
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import MappedRequest, Mapping, MappingFault
from longshore.invocation.masking import Mask
from longshore.invocation.opened import Opened, mask_of, opened
from longshore.invocation.recognise import Invocation, Refused, Skipped, recognise
from longshore.invocation.report_context import report_context
from longshore.invocation.signature import SIGNATURE
from longshore.invocation.source import Source, member
from longshore.invocation.urls import without_login
from longshore.port import reports
from longshore.port.calls import calls
from longshore.port.reports import Report
from tasks.worker.attempt_executor import no_report
from tasks.worker.response_masking import masked, masked_report

FRAMING = frozenset({"accept", "accept-encoding", "connection", "content-length", "user-agent"})
"""Headers of every request, which say nothing about the mapping."""


@dataclass(slots=True)
class Rehearsal:
    """What would become of a message. `sent` says whether a request would leave at all."""

    kind: str = ""
    run_id: str | None = None
    signature: str = ""
    entry: int | None = None
    sent: bool = False
    ours: bool = True
    """False where the message is left to others, and nothing happens at all."""
    problem: str | None = None
    """Why it would not be delivered."""
    request: dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def source_of(message: Any) -> Source:
    """The topic a message must be from: only change log events have a destination and no invocation method."""
    method = member(message, "payload", "action", "invocationMethod")
    return Source.CHANGE_LOG if member(message, "changelogDestination") and not method else Source.RUNS


def rehearse(raw: bytes, source: Source, mapping: Mapping, settings: Settings, response: Response | None) -> Rehearsal:
    """What would become of the Kafka value `raw` if its target answered `response`; None where that is left open.

    Decrypted values and client secrets are masked in all of it.
    """
    found = Rehearsal()
    recognised = recognise(raw, source, settings.secrets)
    if isinstance(recognised, Skipped):
        found.ours, found.problem = False, f"the agent skips it: {recognised.reason}"
        return found
    found.kind, found.run_id = recognised.kind.value, recognised.run_id
    if isinstance(recognised, Refused) and recognised.reason != "bad_signature":
        found.problem = f"the agent refuses it: {recognised.reason}"
        return found
    found.signature = _signature(raw, source, recognised, settings)
    if found.signature == "bad":
        found.notes.append("its signature does not fit PORT_CLIENT_SECRET: the agent would refuse it")
    try:
        _go_on(found, recognised, mapping, settings, response)
    except MappingFault as fault:
        _fails(found, recognised, Outcome(Verdict.GIVE_UP, False, "mapping", str(fault)), settings)
    except Unsendable as problem:
        _fails(found, recognised, Outcome(Verdict.GIVE_UP, False, problem.reason, problem.cause), settings)
    return found


def _go_on(
    found: Rehearsal,
    invocation: Invocation | Refused,
    mapping: Mapping,
    settings: Settings,
    response: Response | None,
) -> None:
    entry = found.entry = mapping.select(invocation.text)
    if entry is None:
        found.ours, found.problem = False, "no mapping is enabled for it"
        if invocation.kind is Kind.NODE_RUN and settings.unmatched_node_runs == "fail":
            _hears(found, invocation, reports.refused(invocation.kind, "no_mapping", found.problem))
        return
    message = opened(invocation.text, mapping.decrypt_paths(entry), settings.secrets)
    if mapping.decrypt_paths(entry) and not settings.secrets:
        found.notes.append("PORT_CLIENT_SECRET is not set: nothing is decrypted")
    else:
        found.notes += [f"{path}: cannot be decrypted, is sent as it came" for path in message.failed]
    request = mapping.request(entry, message.text)
    shown = mask_of(message, request, Mask(settings.masked), mapping.variables(entry, request, message.text))
    found.request = _mapped(request, shown)
    if not request.url:
        raise BadUrl("the mapping gives no URL")
    target_of(request.url)
    prepared = prepare(request, _extra(invocation, settings), settings.port_client_secret, time.time())
    found.request = _as_sent(prepared, request, shown)
    if (problem := missing_token(mapping, entry, message.text, request)) is not None:
        _fails(found, invocation, Outcome(Verdict.GIVE_UP, False, "missing_variable", problem), settings)
        return
    found.sent = True
    if not settings.secrets:
        found.notes.append("PORT_CLIENT_SECRET is not set: the signature is not the one that would be sent")
    if response is not None:
        _answered(found, invocation, mapping, settings, (message, request, prepared), response)


def _answered(
    found: Rehearsal,
    invocation: Invocation | Refused,
    mapping: Mapping,
    settings: Settings,
    sent: tuple[Opened, MappedRequest, PreparedRequest],
    response: Response,
) -> None:
    message, request, prepared = sent
    kind, sync, entry = invocation.kind, invocation.synchronized, found.entry or 0
    verdict, _ = classify(response.status)
    reason = "delivered" if verdict is Verdict.DELIVERED else f"http_{response.status}"
    headers = _text(prepared.headers)
    outcome = Outcome(verdict, True, reason, f"HTTP {response.status}", response.status, response=response)
    policy = settings.retry_policy(kind).refined(mapping.delivery(entry))
    parked = verdict is Verdict.UNKNOWN and policy.unknown == "park"
    mask = mask_of(message, request, Mask(settings.masked), mapping.variables(entry, request, message.text))
    told = masked(replace(outcome, headers=headers), mask)
    if verdict is Verdict.RETRY or (verdict is Verdict.UNKNOWN and not parked):
        found.notes.append(f"it would be sent up to {policy.max_attempts} times; this is what follows the last one")
    note = ""
    if kind is Kind.ACTION_RUN and not parked and mapping.has_report(entry):
        context = report_context(message.text, request, headers, response)
        try:
            found.report = masked_report(mapping.report(entry, context), mask, headers)
        except MappingFault as fault:
            note = no_report(str(fault))
    if verdict is Verdict.DELIVERED:
        heard = reports.delivered(kind, sync, told, found.report, settings.detailed_logging, note)
    elif parked:
        heard = reports.unknown(kind, sync, told, reason)
    else:
        heard = reports.failed(kind, sync, told, found.report, settings.detailed_logging, note=note)
    _hears(found, invocation, [*reports.received(kind), *heard])


def _fails(found: Rehearsal, invocation: Invocation | Refused, outcome: Outcome, settings: Settings) -> None:
    found.problem = outcome.cause
    kind, sync = invocation.kind, invocation.synchronized
    heard = reports.failed(kind, sync, outcome, None, settings.detailed_logging)
    _hears(found, invocation, [*reports.received(kind), *heard])


def _hears(found: Rehearsal, invocation: Invocation | Refused, told: list[Report]) -> None:
    made = calls(invocation.kind, invocation.run_id or "", told)
    found.calls = [{"method": call.method, "path": call.path, "json": call.json} for call in made]


def _signature(raw: bytes, source: Source, recognised: Invocation | Refused, settings: Settings) -> str:
    if source is not Source.RUNS:
        return "none"
    if isinstance(recognised, Invocation):
        return "valid"
    if SIGNATURE not in member(json.loads(raw), "headers"):
        return "none"
    return "bad" if settings.secrets else "not checked"


def _extra(invocation: Invocation | Refused, settings: Settings) -> dict[str, str]:
    if not settings.idempotency_header or not invocation.run_id:
        return {}  # that of a change log event is its place in Kafka
    return {settings.idempotency_header: ids.run_id(invocation.run_id)}


def _mapped(request: MappedRequest, mask: Mask) -> dict[str, Any]:
    """A request that cannot be sent, as far as the mapping made it."""
    headers = {name: mask.text(value) for name, value in request.headers.items()}
    return {
        "method": request.method,
        "url": mask.text(without_login(request.url or "")) or None,
        "headers": headers,
    } | _rest(request, mask)


def _as_sent(prepared: PreparedRequest, request: MappedRequest, mask: Mask) -> dict[str, Any]:
    headers = {name: mask.text(value) for name, value in _text(prepared.headers).items() if name.lower() not in FRAMING}
    return {"method": prepared.method, "url": mask.text(prepared.url or ""), "headers": headers} | _rest(request, mask)


def _rest(request: MappedRequest, mask: Mask) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in request.query:
        query.setdefault(mask.text(name), []).append(mask.value(value))
    flat = {name: values[0] if len(values) == 1 else values for name, values in query.items()}
    return {"query": flat, "body": mask.body(request.body) if request.body is not None else None}


def _text(headers: Table[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value.decode() for name, value in headers.items()}
