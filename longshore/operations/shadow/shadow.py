"""What Longshore would send for a Kafka message, as lines; nothing is sent.

Every step is the one of ingest and worker: the message is read as ingest reads it, and the rest is a dry run.
"""

import json
from typing import Any

from config.settings import Settings
from longshore.delivery import standard_webhooks
from longshore.delivery.outcome import Outcome, Response
from longshore.delivery.request import SignedRequest
from longshore.invocation import ids
from longshore.invocation.classify import Invocation, Refused, Skipped, classify_message
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream, get_object
from longshore.operations.dry_run import dry_run_against
from longshore.operations.shadow.answers import ASSUMED, Answers
from longshore.operations.shadow.lines import Line, Lines, WebhookRequest
from longshore.port import reports
from longshore.port.api_calls import build_calls


class Shadow:
    """Makes the lines of messages, one message at a time."""

    def __init__(self, mapping: Mapping, settings: Settings, answers: Answers, lines: Lines) -> None:
        """`answers` are those of the targets, as far as they are known."""
        self._mapping = mapping
        self._settings = settings
        self._answers = answers
        self._lines = lines
        identity = settings.request_identity
        names = {identity.with_overrides(delivery).header.lower() for delivery in mapping.deliveries}
        self._added = {*names, *standard_webhooks.HEADERS}

    def process(self, raw: bytes | None, stream: Stream, key: str, origin: str) -> list[Line]:
        """The lines of the Kafka value `raw`; none for what is not for the agent. The last one is of kind `message`.

        `key` and `origin` are those of its record. Raises `JqUnavailable`.
        """
        message = classify_message(raw, stream, self._settings.secrets)
        if isinstance(message, Skipped):
            return []
        invocation = ids.run_id(message.run_id) if message.run_id else ids.event_id(key)
        facts: dict[str, Any] = {"origin": origin, "kind_of_invocation": message.kind.value}
        if isinstance(message, Refused):
            calls = build_calls(message.kind, message.run_id or "", reports.refused(message.kind, message.reason))
            lines = [
                self._lines.port(invocation, call.method, call.path, call.json, None, answer="none", origin=origin)
                for call in calls
            ]
            traits = {"has_destination": True} if _has_destination(raw or b"") else {}
            return [*lines, self._lines.message(invocation, result="refused", reason=message.reason, **facts, **traits)]
        return self._dry_run(raw or b"", stream, message, invocation, facts)

    def _dry_run(
        self, raw: bytes, stream: Stream, message: Invocation, invocation: str, facts: dict[str, Any]
    ) -> list[Line]:
        lines: list[Line] = []
        response: Response | None = None
        basis = "none"

        def respond(request: SignedRequest) -> Response | Outcome:
            nonlocal response, basis
            wire = WebhookRequest(request.method, request.url, request.headers, request.body)
            added = [name for name in map(str.lower, wire.headers) if name in self._added]
            lines.append(line := self._lines.webhook(invocation, wire, origin=facts["origin"], added=added))
            answer = self._answers.find(line)
            basis = "assumed" if answer is None else "recorded"
            answer = answer or ASSUMED
            response = answer if isinstance(answer, Response) else None
            return answer

        result = dry_run_against(raw, stream, self._mapping, self._settings, respond, invocation)
        lines += [
            self._lines.port(
                invocation, call["method"], call["path"], call["json"], response, answer=basis, origin=facts["origin"]
            )
            for call in result.calls
        ]
        word = "sent" if result.sent else "skipped" if result.skipped else "failed"
        reason = {} if result.problem is None else {"reason": "no_mapping" if result.skipped else "not_sendable"}
        return [*lines, self._lines.message(invocation, result=word, **reason, **facts, **_traits(message))]


def _traits(message: Invocation) -> dict[str, Any]:
    """What the original agent is known to take otherwise, see `explanations.py`."""
    if message.kind is Kind.CHANGE_LOG:
        run = get_object(message.message, "context").get("runId")
        return {"about_run": run} if isinstance(run, str) and run else {}
    try:
        by_python = json.dumps(json.loads(message.text), ensure_ascii=False, separators=(",", ":"))
    except ValueError:  # thousands of digits
        return {"python_reprints": True}
    return {"python_reprints": True} if by_python != message.text else {}


def _has_destination(raw: bytes) -> bool:
    return b'"changelogDestination"' in raw
