"""A request as plain data, for people and for programs of theirs: whatever of it is secret is masked."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from longshore.delivery.request import SignedRequest, decode_headers
from longshore.delivery.request_builder import BuiltRequest
from longshore.invocation.body_format import BodyFormat
from longshore.invocation.mapping import MappedRequest
from longshore.invocation.mask_spans import MASK
from longshore.invocation.masking import Mask
from longshore.invocation.sensitive_names import is_sensitive_parameter
from longshore.invocation.urls import mask_login

_FRAMING = frozenset({"accept", "accept-encoding", "connection", "content-length", "user-agent"})
"""Headers of every request, which say nothing about the mapping."""


def as_preview(built_request: BuiltRequest) -> dict[str, Any]:
    """As a page shows it: the query as pairs, and what a name announces as a secret masked whole."""
    request, mask = built_request.request, built_request.mask
    return {
        "method": request.method.upper(),
        "url": mask.text(mask_login(request.url or "")),
        "headers": _host_of(request) | {n: _mask_parameter(n, value, mask) for n, value in request.headers.items()},
        "query": [[name, _mask_parameter(name, value, mask)] for name, value in request.query],
        "body": _format_body(built_request),
    }


def as_mapped(built_request: BuiltRequest) -> dict[str, Any]:
    """As the mapping made it, whether or not it can be sent."""
    request, mask = built_request.request, built_request.mask
    return {
        "method": request.method,
        "url": mask.text(mask_login(request.url or "")) or None,
        "headers": _host_of(request) | {name: mask.text(value) for name, value in request.headers.items()},
        "query": _format_query(built_request),
        "body": _format_body(built_request),
    }


def as_sent(prepared: SignedRequest, built_request: BuiltRequest) -> dict[str, Any]:
    """As it goes over the wire, signature included, but for the headers that every request has."""
    headers = (_host_of(built_request.request) | decode_headers(prepared.headers)).items()
    return {
        "method": prepared.method,
        "url": built_request.mask.text(prepared.url),
        "headers": {name: built_request.mask.text(value) for name, value in headers if name.lower() not in _FRAMING},
        "query": _format_query(built_request),
        "body": _format_body(built_request),
    }


def _host_of(request: MappedRequest) -> dict[str, str]:
    """The `Host` that the mapping asks for by name."""
    return {"Host": request.host} if request.host else {}


def _format_query(built_request: BuiltRequest) -> dict[str, Any]:
    """By name; the values of a name that is repeated are a list."""
    query: dict[str, Any] = {}
    for name, value in built_request.request.query:
        query.setdefault(built_request.mask.text(name), []).append(built_request.mask.value(value))
    return {name: values[0] if len(values) == 1 else values for name, values in query.items()}


def _format_body(built_request: BuiltRequest) -> str | None:
    request, mask = built_request.request, built_request.mask
    if request.body is None or request.body_format is not BodyFormat.FORM:
        return None if request.body is None else mask.body(request.body)
    pairs = parse_qsl(request.body, keep_blank_values=True)
    return urlencode([(mask.text(name), mask.body(value)) for name, value in pairs], safe="*")


def _mask_parameter(name: str, value: str, mask: Mask) -> str:
    return MASK if is_sensitive_parameter(name) else mask.text(value)
