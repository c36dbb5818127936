"""What a mapping's `report` expressions look at: message, request as sent, response (wire contract, report)."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from longshore.invocation.body_format import BodyFormat
from longshore.invocation.mapping import MappedRequest


class AnyResponse(Protocol):
    """What is used of a target's answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, in the target's spelling."""

    @property
    def text(self) -> str:
        """The body as text."""


def build_report_context(
    message: str, request: MappedRequest, headers: Mapping[str, str], response: AnyResponse
) -> str:
    """The JSON text that report expressions are evaluated over.

    `message` is the JSON text of the message after decryption, `headers` are those of the request as it was sent, the
    signature among them.
    """
    request_fields = {
        "method": request.method,
        "url": request.url,
        "headers": dict(headers),
        "query": _group_query(request),
    }
    response_fields = {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "text": response.text,
    }
    return (
        f'{{"body":{message},"request":{{"body":{_request_body(request)},{json.dumps(request_fields)[1:]},'
        f'"response":{{"json":{_json_or_null(response.text)},{json.dumps(response_fields)[1:]}}}'
    )


def build_answer_context(response: AnyResponse) -> str:
    """The JSON text that `delivery.success.condition` is evaluated over.

    It has the names of headers in lower case, and as body the JSON or, where it is none, the text.
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = response.text if is_json(response.text) else json.dumps(response.text)
    return f'{{"status":{response.status},"headers":{json.dumps(headers)},"body":{body}}}'


def is_too_deep(text: str) -> bool:
    """Whether `text` is JSON that expressions do not get as `.response.json`, as it is nested too deeply to be read."""
    if text.count("[") + text.count("{") < _READABLE_DEPTH:
        return False
    try:
        _READER.decode(text)
    except (ValueError, RecursionError) as error:
        return isinstance(error, RecursionError)
    return False


def _request_body(request: MappedRequest) -> str:
    """As JSON: what is no JSON is a text of it."""
    if request.body is None:
        return "null"
    return request.body if request.body_format is BodyFormat.JSON else json.dumps(request.body)


def _group_query(request: MappedRequest) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in request.query:
        if name in query:
            query[name] = [*(query[name] if isinstance(query[name], list) else [query[name]]), value]
        else:
            query[name] = value
    return query


def is_json(text: str) -> bool:
    """Whether `text` is JSON that expressions can get."""
    try:
        _READER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json_or_null(text: str) -> str:
    """`text` where it is JSON, as it is: printing it again would change its numbers, and fail where it is deep."""
    return text if is_json(text) else "null"


_READABLE_DEPTH = 500
"""Levels that can be read wherever the reading begins: what has fewer need not be read once more."""

_READER = json.JSONDecoder(parse_int=str, parse_float=str)
"""Reads numbers as texts: Python refuses whole numbers of thousands of digits, which jq takes."""
