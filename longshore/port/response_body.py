"""A target's response body as Port shows it: parsed JSON, else the text."""

import json
import math
from typing import Any

from longshore.invocation import json_text


def reportable(text: str) -> Any:
    """The JSON value of `text`, else `text` itself. Callers report only truthy values (wire contract, action run 3).

    NaN, infinities and numbers that overflow to one are no JSON that Port could take: such a body stays text. So does
    one nested so deeply that printing it again would fail, which no later step must find out.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text
    return text if json_text.is_deep(value, text) else value


def _refuse(name: str) -> float:
    raise ValueError(name)


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(literal)
    return value
