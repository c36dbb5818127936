"""A target's response body as Port shows it: parsed JSON, otherwise the text."""

import json
import math
from typing import Any

from longshore.invocation import json_limits


def parse_body(text: str) -> Any:
    """The JSON value of `text`, otherwise `text` itself. Callers report only truthy values.

    So says the wire contract (action run 3).

    NaN, infinities and numbers that overflow to one are no JSON that Port could take: such a body stays text. So does
    one nested so deeply that printing it again would fail, which no later step must find out.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_finite)
    except (ValueError, RecursionError):
        return text
    return text if json_limits.is_deep(value, text) else value


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _parse_finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(literal)
    return value
