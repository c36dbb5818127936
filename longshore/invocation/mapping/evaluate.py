"""Evaluates a mapping file over messages: which entry, which request, which report (wire contract, mapping evaluation).

One object per process, shared by its threads. Everything jq is done in child processes (`jq.py`): reports, which are
made over what targets answer, in others than requests.
"""

import hashlib
import json
from collections.abc import Mapping as Variables
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from longshore.invocation import json_text
from longshore.invocation.body_format import BodyFormat
from longshore.invocation.decrypted import DecryptedMessage
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.mapping import lint, request, schema
from longshore.invocation.mapping.body import encode_body
from longshore.invocation.mapping.defaults import DEFAULT_METHOD, DEFAULT_URL
from longshore.invocation.mapping.entry_plan import EntryPlan, evaluate_group, replace_failed
from longshore.invocation.mapping.jq import JqEngine, JqLimits
from longshore.invocation.mapping.programs import FAILED, Compiler, parse_result
from longshore.invocation.mapping.results import (
    MappedRequest,
    MappingFault,
    MappingFileError,
    Route,
    RouteResult,
)
from longshore.invocation.mapping.router import Router
from longshore.invocation.mapping.schema import Findings
from longshore.invocation.mapping.template import Expression, fill
from longshore.invocation.variables import find_paste_problem

BUILT_IN = Path(__file__).with_name("default.json")
_NOT_SET = "is not set, or is a secret of ours, and gives null. Where that is meant, write // and a default behind it"
_VARIABLE = "CONTROL_THE_PAYLOAD_CONFIG_PATH"


class Mapping:
    """A mapping file, ready to be evaluated by any number of threads.

    Attributes:
        content: the file's.
        digest: 16 hex digits that change with it.
        warnings: what is likely a mistake in it, one line each, to be logged at start.
    """

    def __init__(
        self, content: bytes, env: Variables[str, str], limits: JqLimits | None = None, processes: int = 1
    ) -> None:
        """Use `load`; `content` is the file's, `env` what its expressions see as `env`.

        `processes` is how many jq processes may be at work on requests at once, and as many on reports.

        Raises:
            MappingFileError: the content is no mapping file.
            JqUnavailable: the jq process cannot be started.
        """
        findings = Findings()
        entries = schema.read(content, findings)
        if findings.problems:
            raise MappingFileError(_VARIABLE, f"the mapping file {'; '.join(findings.problems)}", "Correct the file.")
        self.content = content
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        self._entries = entries
        self._env = dict(env)
        self._engine, self._reports = (JqEngine(env, limits, processes) for _ in range(2))
        try:
            self._prepare(findings)
        except BaseException:
            self.close()
            raise
        self.warnings = tuple(findings.warnings)

    @classmethod
    def load(cls, path: Path | None, env: Variables[str, str], processes: int = 1) -> "Mapping":
        """Read the file, or the built-in mappings where `path` is None.

        `env` is what expressions see as `env`; leave out what they shall not see. For `processes` see the class.

        Raises:
            MappingFileError: it cannot be read, is no JSON, or is against the schema; names all problems.
            JqUnavailable: the jq process cannot be started.
        """
        try:
            content = (path or BUILT_IN).read_bytes()
        except OSError as fault:
            remedy = "Give the path of a readable JSON file, or unset the variable for the built-in mappings."
            raise MappingFileError(_VARIABLE, f"{path} cannot be read: {fault.strerror}", remedy) from fault
        return cls(content, env, processes=processes)

    def _prepare(self, findings: Findings) -> None:
        expressions: list[Expression] = [Expression("default", DEFAULT_URL), Expression("default", DEFAULT_METHOD)]
        for index, entry in enumerate(self._entries):
            findings.warnings.extend(lint.warnings_of(entry, index))
            for entry_expressions in lint.expressions_of(entry, index):
                expressions.extend(entry_expressions)
            expressions.extend(filter(None, [lint.condition_of(entry, index)]))
        compiler = Compiler(self._engine, expressions)
        for expression in expressions:
            if fault := compiler.errors.get(expression.source):
                if ", delivery, " in expression.place:
                    problem = f"{expression.place} is no jq expression: {fault}"
                    raise MappingFileError(_VARIABLE, f"the mapping file: {problem}", "Correct the file.")
                findings.warnings.append(f"{expression.place}: gives null always: {fault}")
        self._plans = [EntryPlan(compiler, self._reports, entry, index) for index, entry in enumerate(self._entries)]
        self._router = Router(self._engine, compiler, self._entries, self._plans)
        for name in sorted({name for plan in self._plans for name in plan.reads.names}):
            # A key or a certificate has line breaks of its own.
            if (value := self._env.get(name, "")).strip().isprintable() and (fault := find_paste_problem(value)):
                findings.warnings.append(f"the variable {name}, which the mapping reads, {fault}")
        for name in sorted({name for plan in self._plans for name in plan.reads.required} - self._env.keys()):
            findings.warnings.append(f"the variable {name}, which the mapping reads, {_NOT_SET}")

    def routes(self, texts: Sequence[str], messages: Sequence[Any] | None = None) -> list[RouteResult]:
        """For each canonical message text the entry it selects, in one round trip for all of them.

        `messages` are the texts as values, where they are at hand. A message whose evaluation is cut off gives a fault,
        and harms no other in the batch.

        Raises:
            JqUnavailable: says nothing of the messages; come back later.
        """
        return self._router.routes(texts, [_parse(text) for text in texts] if messages is None else messages)

    def select(self, text: str) -> int | None:
        """The entry that a message selects, None if none is enabled for it.

        Raises:
            MappingFault: its evaluation was cut off.
            JqUnavailable: says nothing of the message; come back later.
        """
        route = self.routes([text])[0]
        if isinstance(route, MappingFault):
            raise route
        return route.entry if isinstance(route, Route) else None

    def reference(self, entry: int) -> str:
        """How the ledger names an entry of this file, so that an entry of another file is not taken for it."""
        return f"{self.digest}/{entry}"

    def entry_of(self, reference: str) -> int | None:
        """The entry that `reference` names; None if it names one of another file, or none at all."""
        digest, _, number = reference.partition("/")
        return int(number) if digest == self.digest and number.isdigit() else None

    def request(self, entry: int, text: str) -> MappedRequest:
        """The request that an entry makes of a message; `text` is the message after decryption.

        Raises:
            MappingFault: an expression was cut off, or gives what no request can be made of.
            JqUnavailable: says nothing of the message; come back later.
        """
        result = self.requests(entry, [DecryptedMessage(text)])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def requests(self, entry: int, messages: Sequence[DecryptedMessage]) -> list[MappedRequest | Exception]:
        """For each message what `request` would give or raise; none harms another. Asks jq once for all small ones."""
        results = self._plans[entry].request_group.evaluate_many([message.text for message in messages])
        return [self._build_request(entry, message, result) for message, result in zip(messages, results, strict=True)]

    def _build_request(
        self, entry: int, message: DecryptedMessage, results: list[Any] | Exception
    ) -> MappedRequest | Exception:
        if isinstance(results, Exception):
            return results
        plan, place, body_format = self._plans[entry], f"mapping {entry}", self._entries[entry].body_format
        try:
            parts = fill(plan.request, replace_failed(plan.request_group, results))
            if plan.maps_body:
                body = encode_body(parts["body"], body_format, f"{place}, body")
            elif message.verbatim and body_format is BodyFormat.JSON:
                body = message.text
            else:
                body = encode_body(parse_result(message.text, place), body_format, f"{place}, body")
            return MappedRequest(
                method=request.method(parts["method"], f"{place}, method"),
                url=request.url(parts["url"], f"{place}, url"),
                headers=request.headers(parts["headers"], f"{place}, headers"),
                query=request.query(parts["query"], f"{place}, query"),
                body=body,
                body_format=body_format,
                host=self._entries[entry].delivery.host_header,
            )
        except Exception as error:
            return error

    def decrypt_paths(self, entry: int) -> tuple[str, ...]:
        """The paths of secret inputs that an entry wants decrypted before its request is made."""
        return self._entries[entry].decrypt

    def sends_message(self, entry: int) -> bool:
        """Whether the body of an entry's requests is the message as it came, as the entry changes nothing of it."""
        mapping = self._entries[entry]
        return mapping.body is None and mapping.body_format is BodyFormat.JSON and not mapping.decrypt

    def variables(self, entry: int, request: MappedRequest, text: str) -> dict[str, str]:
        """The variables whose values the request or the report of an entry may hold.

        Those that its expressions name; where they compute names, those too whose values stand in the request and not
        in the message `text`, as the organization's id does.
        """
        reads = self._plans[entry].reads
        variables_by_name = {name: self._env[name] for name in reads.names if name in self._env}
        if not reads.computed:
            return variables_by_name
        body = request.body_format.unescape(request.body or "")
        parts = [request.url, body, *request.headers.values(), *(value for _, value in request.query)]
        request_text = "\n".join(filter(None, parts))
        return variables_by_name | {
            name: value
            for name, value in self._env.items()
            if value and (value in request_text or json.dumps(value)[1:-1] in request_text) and value not in text
        }

    @property
    def deliveries(self) -> tuple[DeliveryOptions, ...]:
        """What each entry says of its deliveries, in order."""
        return tuple(entry.delivery for entry in self._entries)

    def delivery(self, entry: int) -> DeliveryOptions:
        """How the invocations of an entry are to be delivered."""
        return self._entries[entry].delivery

    def takes_gitlab_token(self, entry: int) -> bool:
        """Whether an entry sends the trigger token that the built-in GitLab mapping takes from the environment."""
        body = self._entries[entry].body
        return isinstance(body, dict) and body.get("token") == _gitlab_token()

    def has_report(self, entry: int) -> bool:
        """Whether an entry has any report expression."""
        return bool(self._entries[entry].report)

    def report(self, entry: int, context_text: str) -> dict[str, Any]:
        """What the report expressions of an entry give over `{"body", "request", "response"}`, null included.

        Only the keys that the entry has: each overrides its default, even with null.

        Raises:
            MappingFault: an expression was cut off.
            JqUnavailable: come back later.
        """
        plan = self._plans[entry]
        report: dict[str, Any] = fill(plan.report, evaluate_group(plan.report_group, context_text))
        return report

    def find_answer_problem(self, entry: int, context_text: str) -> str:
        """Why the condition of an entry does not hold over an answer, empty where it does (`delivery.success`).

        Raises:
            MappingFault: it was cut off.
            JqUnavailable: come back later.
        """
        group = self._plans[entry].success_group
        if group is None:
            return ""
        (result,) = group.evaluate(context_text)
        return "" if result is True else "fails over it" if result is FAILED else "is not true of it"

    def close(self) -> None:
        """End the jq processes."""
        self._engine.close()
        self._reports.close()


def _parse(text: str) -> Any:
    """`text` as a value; one that is no message where it is not JSON, of which jq is then asked."""
    try:
        return json_text.loads(text)
    except json_text.Malformed:
        return ()


@lru_cache(1)
def _gitlab_token() -> str:
    """The built-in mapping's expression, also in files that were made from it."""
    token: str = json.loads(BUILT_IN.read_bytes())[0]["body"]["token"]
    return token
