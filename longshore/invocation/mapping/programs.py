"""The jq programs of a mapping file: everything that is asked about a message at one time is one program.

jq reads the message again for every program, which costs more than evaluating it. So the expressions are joined, each
guarded so that it cannot disturb the others. Only where that fails (one of them was cut off, or halts jq) are they
evaluated one by one, which also finds out which one it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from longshore.invocation import json_limits, json_text
from longshore.invocation.mapping.defaults import DEFAULT_METHOD, DEFAULT_URL, PLAIN_DEFAULTS
from longshore.invocation.mapping.jq import LARGE_BYTES, JqEngine, JqJob
from longshore.invocation.mapping.jq_process import JqAnswer, Status
from longshore.invocation.mapping.jq_text import guard_expression
from longshore.invocation.mapping.plain_expressions import NeedsJq, ask_for_missing, compile_plain
from longshore.invocation.mapping.results import MappingFault
from longshore.invocation.mapping.schema import MappingEntry
from longshore.invocation.mapping.template import Expression

RESULT_DEPTH = json_limits.MAX_DEPTH + 8
"""A result is a part of a message, inside the lists that the programs put around it."""


@dataclass(frozen=True, slots=True)
class FailedResult:
    """Stands for the result of an expression that failed over this message; it counts as null."""


FAILED = FailedResult()


class Compiler:
    """Knows which expressions have no syntax error, and makes programs of those."""

    def __init__(self, engine: JqEngine, expressions: Sequence[Expression]) -> None:
        """Compiles every expression alone, as joined ones could complete each other's brackets.

        Raises:
            JqUnavailable: the jq process cannot be started.
        """
        self._engine = engine
        self.errors: dict[str, str] = {}
        sources = list(dict.fromkeys(expression.source for expression in expressions))
        problems_alone = engine.check(sources)
        problems_guarded = engine.check([guard_expression(source) for source in sources])
        for source, *problems in zip(sources, problems_alone, problems_guarded, strict=True):
            if problem := next((problem for problem in problems if problem is not None), None):
                self.errors[source] = problem

    def guard_expression(self, source: str) -> str:
        """The expression as a part of a larger program."""
        return guard_expression(None if source in self.errors else source)

    def group(self, expressions: Sequence[Expression], engine: JqEngine | None = None) -> "Group":
        """Expressions that are evaluated together, in `engine` if another one than that of the compiler."""
        return Group(engine or self._engine, self, tuple(expressions))

    def router(self, entries: Sequence[MappingEntry]) -> int:
        """The program that gives `[entry, url, method]` of the first enabled entry, and its order if any; or null."""
        branches = [self._branch(index, entry) for index, entry in enumerate(entries)]
        return self._engine.program(f"first({','.join(branch for branch in [*branches, 'null'] if branch)})|tojson")

    def _branch(self, index: int, entry: MappingEntry) -> str:
        url = self.guard_expression(DEFAULT_URL if entry.url is None else entry.url)
        method = self.guard_expression(DEFAULT_METHOD if entry.method is None else entry.method)
        order = f",{self.guard_expression(entry.delivery.order.key)}" if entry.delivery.order else ""
        result = f"[{index},{url},{method}{order}]"
        if isinstance(entry.enabled, bool):
            return result if entry.enabled else ""
        return f"(if {self.guard_expression(entry.enabled)}==[true] then {result} else empty end)"


class Group:
    """Expressions that are evaluated together over one message."""

    def __init__(self, engine: JqEngine, compiler: Compiler, expressions: tuple[Expression, ...]) -> None:
        self.expressions = expressions
        self._engine = engine
        plain = [PLAIN_DEFAULTS.get(each.source) or compile_plain(each.source) for each in expressions]
        self._plain = [evaluate for evaluate in plain if evaluate is not None]
        parts = [compiler.guard_expression(expression.source) for expression in expressions]
        self._together = engine.program(f"[{','.join(parts)}]|tojson")
        self._alone = [engine.program(f"{part}|tojson") for part in parts]

    def evaluate(self, text: str) -> list[Any]:
        """The result of each expression: its first output, None for no output, FAILED if it failed.

        Raises:
            MappingFault: an expression was cut off, or jq cannot read the message.
            JqUnavailable: the jq process cannot be started or kept.
        """
        results = self.evaluate_many([text])[0]
        if isinstance(results, Exception):
            raise results
        return results

    def evaluate_plainly(self, message: Any) -> list[Any]:
        """The results over a message as a value, without jq. Raises NeedsJq."""
        if len(self._plain) < len(self.expressions):
            raise NeedsJq
        return [evaluate(message) for evaluate in self._plain]

    def evaluate_many(self, texts: Sequence[str]) -> list[list[Any] | Exception]:
        """For each text what `evaluate` would give or raise; none harms another. Asks jq once for all small ones."""
        plain = [self._parse_plainly(text) for text in texts]
        return ask_for_missing(plain, lambda missing: self._ask([texts[at] for at in missing]))

    def _parse_plainly(self, text: str) -> list[Any] | None:
        if len(self._plain) < len(self.expressions) or len(text) > LARGE_BYTES:
            return None  # to read a large text here would hold up other threads
        try:
            return self.evaluate_plainly(json_text.loads(text, RESULT_DEPTH))
        except (NeedsJq, json_text.Malformed):
            return None

    def _ask(self, texts: Sequence[str]) -> list[list[Any] | Exception]:
        if len(self.expressions) < 2:
            return [self._evaluate_alone(text) for text in texts]
        answers: dict[int, JqAnswer | Exception] = {}
        small = [at for at, text in enumerate(texts) if len(text) <= LARGE_BYTES]
        for batch in filter(None, (small, *([at] for at in range(len(texts)) if len(texts[at]) > LARGE_BYTES))):
            try:
                answers |= zip(
                    batch, self._engine.evaluate([JqJob(self._together, texts[at]) for at in batch]), strict=True
                )
            except Exception as error:
                answers |= dict.fromkeys(batch, error)
        return [self._parse_together(answers[at], text) for at, text in enumerate(texts)]

    def _parse_together(self, answer: JqAnswer | Exception, text: str) -> list[Any] | Exception:
        if isinstance(answer, Exception):
            return answer
        if answer.status is not Status.VALUE:
            return self._evaluate_alone(text)
        try:
            place = self.expressions[0].place.split(",")[0]
            return [unwrap_result(part) for part in parse_result(answer.text, place)]
        except Exception as error:
            return error

    def _evaluate_alone(self, text: str) -> list[Any] | Exception:
        """One expression after the other."""
        try:
            return [self._single(index, text) for index in range(len(self.expressions))]
        except Exception as error:
            return error

    def _single(self, index: int, text: str) -> Any:
        answer = self._engine.evaluate([JqJob(self._alone[index], text)])[0]
        place = self.expressions[index].place
        if answer.status is Status.VALUE:
            return unwrap_result(parse_result(answer.text, place))
        if answer.status is Status.NOTHING:  # it halts jq
            return None
        raise fault(answer, place)


def unwrap_result(part: Any) -> Any:
    """The result that a guarded expression gave."""
    if isinstance(part, list):
        return part[0]
    return FAILED if part is False else None


def parse_result(text: str, place: str) -> Any:
    """A JSON text that jq gave or is about to be given, as a value.

    Raises:
        MappingFault: it is nested too deeply, or no JSON (an operator may requeue what never was).
    """
    try:
        return json_text.loads(text, RESULT_DEPTH)
    except json_text.Malformed as problem:
        description = (
            "is nested too deeply" if problem.reason == "too_deep" else "has to do with a text that is not JSON"
        )
        raise MappingFault(place, description) from None


def fault(answer: JqAnswer, place: str) -> MappingFault:
    """The fault that an answer without a result stands for."""
    return MappingFault(
        place, answer.text if answer.status is Status.KILLED else "cannot be evaluated over the message"
    )
