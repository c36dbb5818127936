"""What a target answered, without the secrets it was sent: from here on it goes to logs, to Port and into history."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from longshore.delivery.outcome import Outcome
from longshore.invocation.masking import Mask, sensitive_values
from longshore.port.status import TERMINAL


def masked(outcome: Outcome, mask: Mask) -> Outcome:
    """`outcome` with nothing secret in its cause and its response. The request's headers are left out of it."""
    mask = _with_signature(mask, outcome.headers)
    response = outcome.response
    if response is not None:
        text = mask.cut_text(response.text) if response.truncated else mask.body(response.text)
        headers = {name: mask.text(value) for name, value in response.headers.items()}
        response = replace(response, text=text, headers=headers)
    return replace(outcome, cause=mask.text(outcome.cause), response=response, headers={})


def masked_report(report: dict[str, Any], mask: Mask, headers: Mapping[str, str]) -> dict[str, Any]:
    """What the mapping's report section gave, without secrets; `headers` are the request's.

    A status is a word of Port's and none.
    """
    mask = _with_signature(mask, headers)
    return {
        key: value if key == "status" and isinstance(value, str) and value in TERMINAL else mask.value(value)
        for key, value in report.items()
    }


def _with_signature(mask: Mask, headers: Mapping[str, str]) -> Mask:
    """The signature is made while sending, so the mask of the request does not know it yet."""
    return mask + Mask(sensitive_values(headers))
