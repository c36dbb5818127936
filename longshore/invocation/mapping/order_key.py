"""What the expression of an order gives → the key that all invocations of that order have."""

from typing import Any

from longshore.invocation import json_text
from longshore.invocation.mapping.programs import FAILED
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


def parse_order_key(result: Any, place: str) -> str:
    """The key; empty for null, false, an empty text, and where the expression failed: then there is no order.

    What is no text has its JSON as key, with the members of objects in the order of their names.
    """
    if result is FAILED:
        log.event(events.MAPPING_EXPRESSION_FAILED, place=place)
        return ""
    if result is None or result is False or isinstance(result, str):
        return result or ""
    return json_text.dumps(result, ascii=False, is_sorted=True)
