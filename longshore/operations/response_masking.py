"""What a target answered, without the secrets it was sent: from here on it goes to logs, to Port and into history."""

import math
from collections.abc import Mapping
from typing import Any

from longshore.delivery.outcome import Outcome, Response
from longshore.invocation.masking import Mask
from longshore.invocation.sensitive_names import credentials, sensitive_parameters
from longshore.port.status_patch import TERMINAL


def mask_outcome(outcome: Outcome, mask: Mask) -> Outcome:
    """`outcome` with nothing secret in its cause and its response. The request's headers are left out of it."""
    response = outcome.response
    if response is not None:
        mask = _with_sent(mask, outcome.headers, math.inf if response.truncated else _longest_text(outcome, response))
        response = _mask_response(response, mask)
    else:
        mask = _with_sent(mask, outcome.headers, len(outcome.cause))
    return Outcome(
        outcome.verdict,
        outcome.sent,
        outcome.reason,
        mask.text(outcome.cause),
        outcome.status,
        outcome.retry_after_s,
        response,
        outcome.duration_ms,
        outcome.fault,
        outcome.redirected,
    )


def mask_certain(response: Response, mask: Mask, headers: Mapping[str, str]) -> Response:
    """`response` without what is secret for sure; what is but announced by a name is left in it.

    `headers` are the request's.
    """
    return _mask_response(response, _with_sent(mask, headers).certain)


def mask_report(report: dict[str, Any], mask: Mask, headers: Mapping[str, str]) -> dict[str, Any]:
    """What the mapping's report section gave, without secrets; `headers` are the request's.

    Only a summary is a text for people. In a link, an id or a status stays what is but announced as a secret by a name:
    with a hole in it none of them works. A status that ends a run is a word of Port's and no secret at all.
    """
    mask = _with_sent(mask, headers)
    return {key: _mask_value(key, value, mask) for key, value in report.items()}


def _mask_response(response: Response, mask: Mask) -> Response:
    text = mask.cut_text(response.text) if response.truncated else mask.body(response.text)
    headers = {name: mask.text(value) for name, value in response.headers.items()}
    return Response(response.status, headers, text, response.truncated)


def _mask_value(key: str, value: Any, mask: Mask) -> Any:
    if key == "status" and isinstance(value, str) and value in TERMINAL:
        return value
    return (mask if key == "summary" else mask.certain).value(value)


def _longest_text(outcome: Outcome, response: Response) -> int:
    """Characters of the longest text to be masked."""
    return max(len(outcome.cause), len(response.text), *map(len, response.headers.values()))


def _with_sent(mask: Mask, headers: Mapping[str, str], max_chars: float = math.inf) -> Mask:
    """`mask` with what was added while sending, which the mask of the request does not know: the signature.

    Without what is longer than `max_chars`: no spelling of it is shorter than itself (`Spellings`).
    """
    certain = [value for value in credentials(headers) if len(value) <= max_chars]
    guessed = [value for value in sensitive_parameters(headers.items()) if len(value) <= max_chars]
    return mask + Mask(certain, guessed) if certain or guessed else mask
