"""What a mapping leaves out comes from the invocation method, wherever the message has it: as jq, and the same here."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from longshore.invocation.mapping.plain_expressions import Evaluate, NeedsJq, scalar

_METHOD_OBJECT = "((.payload?|.action?|.invocationMethod?|objects) // (.changelogDestination?|objects))"
_PLACES = (("payload", "action", "invocationMethod"), ("changelogDestination",))

DEFAULT_URL = f'{_METHOD_OBJECT} | .url // ""'
DEFAULT_METHOD = f'{_METHOD_OBJECT} | .method // "POST"'


def _evaluate_default(name: str, default: str, message: Any) -> Any:
    if type(message) is not dict:
        raise NeedsJq
    for place in _PLACES:
        value: Any = message
        for step in place:
            value = value.get(step) if type(value) is dict else None
        if type(value) is dict:
            result = scalar(value.get(name))
            return default if result is None or result is False else result
    return None


PLAIN_DEFAULTS: Mapping[str, Evaluate] = {
    DEFAULT_URL: partial(_evaluate_default, "url", ""),
    DEFAULT_METHOD: partial(_evaluate_default, "method", "POST"),
}
"""What evaluates the defaults without jq."""
