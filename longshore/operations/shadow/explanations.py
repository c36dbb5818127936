"""Rows of docs/reference/differences.md that can show in what is sent."""

ROWS = {
    "D1": "Longshore sends again what failed, and adds the header IDEMPOTENCY_HEADER, by which targets know a repeat",
    "D2": "the target gave no answer: the original reports nothing, Longshore reports FAILURE after the last attempt",
    "D3": "a failed call to Port before the webhook makes the original give up; Longshore delivers",
    "D4": "a failed call to Port after the webhook makes the original report no result; Longshore reports it",
    "D6": "the original rejects valid signatures over numbers that Python prints otherwise; Longshore delivers",
    "D7": "the original fails node runs that its mapping does not match; Longshore leaves them to other agents",
    "D10": "the original reports on the run that a change log event is about; Longshore never does",
    "D11": "the built-in GitLab mapping: URL without a slash, `externalRunId` of failures, missing token",
    "D23": "Longshore masks secrets in what the target answered before Port gets it",
    "D24": "the original does not check the signature of a run with a `changelogDestination`; Longshore does",
    "D27": "the next request of a redirect, which to another host has no signature and no mapped headers",
    "D29": "the original sends the body spelled otherwise than it was signed; Longshore sends what it signed",
    "D31": "Longshore sends fewer log lines, joined in one call",
}
"""Number of the row → what it says, for people."""
