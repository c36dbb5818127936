"""What stands in reports for people to read: each as one sentence, with the HTTP status wherever there is one."""

import time
from datetime import UTC, datetime

from longshore.port.outcome_facts import OutcomeFacts, ResponseFacts
from longshore.port.size_limits import MAX_QUOTE_BYTES, truncate

LOST_CAUSES = {
    "worker_lost": "the worker was lost while the request was under way.",
    "drained": "the worker had to stop while the request was under way.",
    "unexpected": "a fault of the agent broke it off while the request was under way.",
}
"""Why nobody knows what came of a request, by reason code."""


def describe_wait(why: str, ahead: int, per_s: float, at: float) -> str:
    """What an invocation waits for, while `ahead` others go first.

    `why`: the target is `paused`, its breaker is `open` until `at`, it is reached at the `pace` of `per_s` starts a
    second, or it takes no more now (`full`). `at` is about when its turn comes (seconds since 1970), 0 if unknown.
    """
    first = f"{ahead} ahead" if ahead else "none ahead"
    if why == "pace":
        return f"{first} at {per_s:.3g}/s, about {format_time(at)}."
    if why == "paused":
        return f"its target was paused by an operator; {first}."
    if why == "open":
        return f"its target keeps failing and is tried again at {format_time(at, '%H:%M:%S')}; {first}."
    return f"its target takes no more at the moment; {first}."


def describe_missing(response: ResponseFacts, has_report: bool, is_cut: bool) -> str:
    """What of an answer Port does not get to see, though it should; `has_report`: the mapping has a report section."""
    if response.truncated:
        fields = "; what the report section takes from its JSON stays empty" if has_report else ""
        why = "it was longer than RESPONSE_MAX_BYTES, ended early, or could not be unpacked"
        return f"Only the first {len(response.text):,} characters of the answer were read: {why}{fields}."
    return "The response was cut: Port takes no more than 1 MiB." if is_cut else ""


def describe_outcome(outcome: OutcomeFacts, detailed: bool = False) -> str:
    """What came of an attempt, as a sentence that always names the HTTP status when there is one."""
    if outcome.status is None:
        return as_sentence(outcome.cause)
    text = outcome.response.text if detailed and outcome.response is not None else ""
    sentence = f"the target answered HTTP {outcome.status}"
    if outcome.objection:
        sentence += f", {outcome.objection}"
    if outcome.redirected:
        sentence += f" ({outcome.redirected})"
    return f"{sentence}: {truncate(text, MAX_QUOTE_BYTES)}" if text.strip() else f"{sentence}."


def as_sentence(text: str) -> str:
    """`text` with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def format_time(at: float, clock_format: str = "%H:%M") -> str:
    """A time in UTC, with its date where it is far away."""
    is_far = abs(at - time.time()) > 43_200
    return datetime.fromtimestamp(min(at, 253_402_300_799), UTC).strftime(
        f"%Y-%m-%d {clock_format} UTC" if is_far else f"{clock_format} UTC"
    )


def format_span(seconds: float) -> str:
    """A wait as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
