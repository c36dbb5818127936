"""A request as plain data, for people and for programs of theirs: whatever of it is secret is masked."""

from typing import Any

from requests.models import PreparedRequest

from longshore.delivery.request_builder import BuiltRequest
from longshore.invocation.masking import MASK, Mask
from longshore.invocation.sensitive_names import is_sensitive_parameter
from longshore.invocation.urls import without_login

_FRAMING = frozenset({"accept", "accept-encoding", "connection", "content-length", "user-agent"})
"""Headers of every request, which say nothing about the mapping."""


def as_preview(built: BuiltRequest) -> dict[str, Any]:
    """As a page shows it: the query as pairs, and what a name announces as a secret masked whole."""
    request, mask = built.request, built.mask
    return {
        "method": request.method.upper(),
        "url": mask.text(without_login(request.url or "")),
        "headers": {name: _masked(name, value, mask) for name, value in request.headers.items()},
        "query": [[name, _masked(name, value, mask)] for name, value in request.query],
        "body": _body(built),
    }


def as_mapped(built: BuiltRequest) -> dict[str, Any]:
    """As the mapping made it, whether or not it can be sent."""
    request, mask = built.request, built.mask
    return {
        "method": request.method,
        "url": mask.text(without_login(request.url or "")) or None,
        "headers": {name: mask.text(value) for name, value in request.headers.items()},
        "query": _query(built),
        "body": _body(built),
    }


def as_sent(prepared: PreparedRequest, built: BuiltRequest) -> dict[str, Any]:
    """As it goes over the wire, signature included, but for the headers that every request has."""
    headers = header_texts(prepared).items()
    return {
        "method": prepared.method,
        "url": built.mask.text(prepared.url or ""),
        "headers": {name: built.mask.text(value) for name, value in headers if name.lower() not in _FRAMING},
        "query": _query(built),
        "body": _body(built),
    }


def header_texts(prepared: PreparedRequest) -> dict[str, str]:
    """The headers of a request as texts, not masked; some are bytes in it."""
    headers: dict[str, str | bytes] = dict(prepared.headers)
    return {name: value if isinstance(value, str) else value.decode() for name, value in headers.items()}


def _query(built: BuiltRequest) -> dict[str, Any]:
    """By name; the values of a name that is repeated are a list."""
    query: dict[str, Any] = {}
    for name, value in built.request.query:
        query.setdefault(built.mask.text(name), []).append(built.mask.value(value))
    return {name: values[0] if len(values) == 1 else values for name, values in query.items()}


def _body(built: BuiltRequest) -> str | None:
    return built.mask.body(built.request.body) if built.request.body is not None else None


def _masked(name: str, value: str, mask: Mask) -> str:
    return MASK if is_sensitive_parameter(name) else mask.text(value)
