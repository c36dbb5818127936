"""A target's response body as Port shows it: parsed JSON, else the text."""

import json
import math
from typing import Any


def reportable(text: str) -> Any:
    """The JSON value of `text`, else `text` itself. Callers report only truthy values (wire contract, action run 3).

    NaN, infinities and numbers that overflow to one are no JSON that Port could take: such a body stays text.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> float:
    raise ValueError(name)


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(literal)
    return value
