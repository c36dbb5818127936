"""Which answers are a success where the mapping has rules of its own (`delivery.success`).

The rule behind the verdicts: an answer below 400 says that the target took the request. That its content tells of a
failure is no reason to repeat it, unless the mapping says that this helps. An answer that cannot be judged may be a
success: that is unknown.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from requests.structures import CaseInsensitiveDict

from longshore.delivery.outcome import Fault, Outcome, Response, Verdict
from longshore.errors import LongshoreError
from longshore.invocation.report_context import build_answer_context, is_json, is_too_deep
from longshore.invocation.success_section import SuccessOptions
from longshore.network.retry_after import retry_after_s

_FAULTS = {Verdict.GIVE_UP: Fault.REQUEST, Verdict.RETRY: Fault.ANSWER, Verdict.UNKNOWN: Fault.NONE}


def judge_answer(outcome: Outcome, rule: SuccessOptions, find_problem: Callable[[str], str]) -> Outcome:
    """`outcome` by the `rule` of its mapping; one without an answer stays as it is.

    `find_problem` says of an answer, as JSON text, why the rule's condition does not hold, empty where it does. What it
    raises of ours makes the outcome unknown.
    """
    response, is_delivered = outcome.response, outcome.verdict is Verdict.DELIVERED
    if response is None:
        return outcome
    if rule.statuses is not None and response.status not in rule.statuses:
        if not is_delivered:
            return outcome
        return _object(outcome, _failure(outcome, rule), f"http_{response.status}", "its status is not among statuses")
    if rule.statuses is None and not is_delivered:
        return outcome
    is_partial = response.truncated or is_too_deep(response.text)
    if rule.json and not _is_json(response, is_partial):
        return _object(outcome, _failure(outcome, rule), "not_json", "its body is not JSON")
    if rule.condition:
        try:
            problem = find_problem(build_answer_context(response))
        except LongshoreError as error:
            return _object(outcome, Verdict.UNKNOWN, "unjudged", str(error))
        if problem and is_partial:
            why = "its body is too long, too deep or broke off, so its condition cannot be judged"
            return _object(outcome, Verdict.UNKNOWN, "unjudged", why)
        if problem:
            return _object(outcome, _failure(outcome, rule), "condition", f"its condition {problem}")
    if is_delivered:
        return outcome
    return replace(outcome, verdict=Verdict.DELIVERED, reason="delivered", fault=Fault.NONE, retry_after_s=None)


def _is_json(response: Response, is_partial: bool) -> bool:
    if response.status in (204, 205):  # nothing can follow them
        return True
    return response.text.lstrip()[:1] in ("{", "[") if is_partial else is_json(response.text)


def _failure(outcome: Outcome, rule: SuccessOptions) -> Verdict:
    """What an answer that is no success calls for."""
    if rule.otherwise == "dead":
        return Verdict.GIVE_UP
    # That a GET may be repeated, which a redirect has made of the request, says nothing of the request before it.
    return Verdict.UNKNOWN if outcome.redirected else Verdict.RETRY


def _object(outcome: Outcome, verdict: Verdict, reason: str, why: str) -> Outcome:
    """`outcome` is no success, or not surely one: its `reason` code, and `why`."""
    objection = f"which the mapping's delivery.success does not count as a success: {why}"
    cause = f"{outcome.cause}, {objection}"
    wait_s = outcome.retry_after_s
    if verdict is Verdict.RETRY and outcome.response is not None:  # nobody has asked for it so far
        wait_s = retry_after_s(CaseInsensitiveDict(outcome.response.headers), time.time())
    return replace(
        outcome,
        verdict=verdict,
        fault=_FAULTS[verdict],
        reason=reason,
        cause=cause,
        objection=objection,
        retry_after_s=wait_s,
    )
