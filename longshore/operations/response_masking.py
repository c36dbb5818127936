"""What a target answered, without the secrets it was sent: from here on it goes to logs, to Port and into history."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from longshore.delivery.outcome import Outcome, Response
from longshore.invocation.masking import Mask
from longshore.invocation.sensitive_names import credentials, sensitive_parameters
from longshore.port.status_patch import TERMINAL


def mask_outcome(outcome: Outcome, mask: Mask) -> Outcome:
    """`outcome` with nothing secret in its cause and its response. The request's headers are left out of it."""
    mask = _with_signature(mask, outcome.headers)
    response = None if outcome.response is None else _mask_response(outcome.response, mask)
    return replace(outcome, cause=mask.text(outcome.cause), response=response, headers={})


def mask_certain(response: Response, mask: Mask, headers: Mapping[str, str]) -> Response:
    """`response` without what is secret for sure; what is but announced by a name is left in it.

    `headers` are the request's.
    """
    return _mask_response(response, _with_signature(mask, headers).certain)


def mask_report(report: dict[str, Any], mask: Mask, headers: Mapping[str, str]) -> dict[str, Any]:
    """What the mapping's report section gave, without secrets; `headers` are the request's.

    Only a summary is a text for people. In a link, an id or a status stays what is but announced as a secret by a name:
    with a hole in it none of them works. A status that ends a run is a word of Port's and no secret at all.
    """
    mask = _with_signature(mask, headers)
    return {key: _mask_value(key, value, mask) for key, value in report.items()}


def _mask_response(response: Response, mask: Mask) -> Response:
    text = mask.cut_text(response.text) if response.truncated else mask.body(response.text)
    headers = {name: mask.text(value) for name, value in response.headers.items()}
    return replace(response, text=text, headers=headers)


def _mask_value(key: str, value: Any, mask: Mask) -> Any:
    if key == "status" and isinstance(value, str) and value in TERMINAL:
        return value
    return (mask if key == "summary" else mask.certain).value(value)


def _with_signature(mask: Mask, headers: Mapping[str, str]) -> Mask:
    """The signature is made while sending, so the mask of the request does not know it yet."""
    return mask + Mask(credentials(headers), sensitive_parameters(headers.items()))
