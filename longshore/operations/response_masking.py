"""What a target answered, without the secrets it was sent: from here on it goes to logs, to Port and into history."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from longshore.delivery.outcome import Outcome, Response
from longshore.invocation.masking import NOTHING, Mask
from longshore.invocation.sensitive_names import credentials, select_sensitive, sensitive_parameters
from longshore.port.status_patch import TERMINAL


def mask_outcome(outcome: Outcome, mask: Mask) -> Outcome:
    """`outcome` with nothing secret in its cause and its response; itself where there was nothing.

    Its headers stay those of the request as it was sent, and are for nobody but `mask_report` and the mapping's report.
    """
    response, cause = outcome.response, outcome.cause
    texts = [cause, response.text, *response.headers.values()] if response else [cause]
    max_chars, text = max(map(len, texts)), "\n".join(texts)
    is_cut = response is not None and response.truncated
    sent = _mask_sent(outcome.headers, math.inf if is_cut else max_chars)
    # Nearly no response holds a secret, so all of it is looked at in one text first; not for a piece of one at its end.
    if not (is_cut or mask.may_change(text, max_chars) or sent.may_change(text, max_chars)):
        return outcome
    mask += sent
    return replace(outcome, cause=mask.text(cause), response=_mask_response(response, mask) if response else None)


def mask_certain(response: Response, mask: Mask, headers: Mapping[str, str]) -> Response:
    """`response` without what is secret for sure; what is but announced by a name is left in it.

    `headers` are the request's.
    """
    return _mask_response(response, (mask + _mask_sent(headers)).certain)


def mask_report(report: dict[str, Any], mask: Mask, headers: Mapping[str, str]) -> dict[str, Any]:
    """What the mapping's report section gave, without secrets; `headers` are the request's.

    Only a summary is a text for people. In a link, an id or a status stays what is but announced as a secret by a name:
    with a hole in it none of them works. A status that ends a run is a word of Port's and no secret at all.
    """
    mask += _mask_sent(headers)
    return {key: _mask_value(key, value, mask) for key, value in report.items()}


def _mask_response(response: Response, mask: Mask) -> Response:
    text = mask.cut_text(response.text) if response.truncated else mask.body(response.text)
    headers = {name: mask.text(value) for name, value in response.headers.items()}
    return Response(response.status, headers, text, response.truncated)


def _mask_value(key: str, value: Any, mask: Mask) -> Any:
    if key == "status" and isinstance(value, str) and value in TERMINAL:
        return value
    return (mask if key == "summary" else mask.certain).value(value)


def _mask_sent(headers: Mapping[str, str], max_chars: float = math.inf) -> Mask:
    """The mask of what was added while sending, which the mask of the request does not know: the signature.

    Without what is longer than `max_chars`: no spelling of it is shorter than itself (`Spellings`).
    """
    sent = select_sensitive(headers, max_chars)
    if not sent:
        return NOTHING
    certain = [value for value in credentials(sent) if len(value) <= max_chars]
    guessed = [value for value in sensitive_parameters(sent.items()) if len(value) <= max_chars]
    return Mask(certain, guessed)
