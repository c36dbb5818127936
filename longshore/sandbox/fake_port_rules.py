"""Which calls the Port API takes: paths, methods and bodies, as strict as Port, so that tests see wrong calls."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_RUN = r"/v1/actions/runs/(?P<id>[^/?#]+)"
_NODE = r"/v1/workflows/nodes/runs/(?P<id>[^/?#]+)"

LOG_LEVELS = frozenset({"INFO", "WARN", "ERROR", "DEBUG"})


@dataclass(frozen=True, slots=True)
class FakeEndpoint:
    """One kind of call; `check` says what is wrong with a body, None if nothing is."""

    name: str
    method: str
    path: re.Pattern[str]
    check: Callable[[Any], str | None]


def find(method: str, path: str) -> tuple[FakeEndpoint, str] | None:
    """The endpoint a request is for, with the run id in its path (empty if it has none); None for unknown ones."""
    for endpoint in ENDPOINTS:
        match = endpoint.path.fullmatch(path)
        if match and endpoint.method == method:
            run_id = unquote(match.groupdict().get("id") or "", errors="surrogateescape")
            # The two kinds of run live apart at Port: the id of one is unknown in the paths of the other.
            if run_id and run_id.startswith("wfnr_") != endpoint.name.startswith("node"):
                return None
            return endpoint, run_id
    return None


def _token(body: Any) -> str | None:
    return _object(body, {"clientId": _text, "clientSecret": _text}, required=("clientId", "clientSecret"))


def _nothing(body: Any) -> str | None:
    return None if body is None else "takes no body"


def _organization(body: Any) -> str | None:
    return _object(body, {"settings": _settings}, required=("settings",))


def _settings(value: Any) -> str | None:
    streamer = _one_of("KAFKA", "POLLING")
    return _object(value, {"portAgentStreamerName": streamer}, required=("portAgentStreamerName",))


def _run_log(body: Any) -> str | None:
    keys = {"message": _text, "terminationStatus": _one_of("SUCCESS", "FAILURE"), "statusLabel": _text}
    return _object(body, keys, required=("message",))


def _run_status(body: Any) -> str | None:
    keys = {"status": _one_of("SUCCESS", "FAILURE"), "link": _link, "summary": _text, "externalRunId": _text}
    return _object(body, keys) or (None if body else "nothing to change")


def _run_response(body: Any) -> str | None:
    def shape(value: Any) -> str | None:
        return None if isinstance(value, dict | list | str) else "is no object, list or text"

    return _object(body, {"response": shape}, required=("response",))


def _node_log(body: Any) -> str | None:
    def lines(value: Any) -> str | None:
        if not isinstance(value, list) or not value:
            return "is no list of lines"
        keys = {"level": _one_of(*sorted(LOG_LEVELS)), "message": _text}
        problems = (_object(line, keys, required=("level", "message")) for line in value)
        return next((problem for problem in problems if problem), None)

    return _object(body, {"logs": lines}, required=("logs",))


def _node_status(body: Any) -> str | None:
    def output(value: Any) -> str | None:
        return None if isinstance(value, dict) else "is no object"

    keys = {"status": _one_of("COMPLETED"), "result": _one_of("SUCCESS", "FAILED"), "output": output}
    return _object(body, keys, required=("status", "result"))


def _claim_runs(body: Any) -> str | None:
    keys = {"installationId": _text, "limit": _limit, "invocationMethod": _one_of("WEBHOOK")}
    return _object(body, keys, required=tuple(keys))


def _claim_nodes(body: Any) -> str | None:
    return _object(body, {"installationId": _text, "limit": _limit}, required=("installationId", "limit"))


def _ack_runs(body: Any) -> str | None:
    def ids(value: Any) -> str | None:
        return None if isinstance(value, list) and value and all(isinstance(id, str) for id in value) else "is no list"

    return _object(body, {"runIds": ids}, required=("runIds",))


def _ack_node(body: Any) -> str | None:
    return _object(body, {"nodeRunIdentifier": _text}, required=("nodeRunIdentifier",))


def _limit(value: Any) -> str | None:
    return None if type(value) is int and value > 0 else "is no positive number"


def _object(body: Any, keys: dict[str, Callable[[Any], str | None]], required: tuple[str, ...] = ()) -> str | None:
    if not isinstance(body, dict):
        return "is no object"
    unknown = sorted(set(body) - set(keys))
    missing = [key for key in required if key not in body]
    if unknown or missing:
        return f"unknown keys {unknown}" if unknown else f"missing keys {missing}"
    problems = ((key, keys[key](value)) for key, value in body.items())
    return next((f"{key}: {problem}" for key, problem in problems if problem), None)


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "is no text"


def _link(value: Any) -> str | None:
    links = value if isinstance(value, list) else [value]
    return None if all(isinstance(link, str) for link in links) else "is neither text nor a list of texts"


def _one_of(*values: str) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in values else f"is none of {', '.join(values)}"

    return check


POLLING = frozenset({"claim_runs", "ack_runs", "claim_nodes", "ack_node"})
"""Calls that also carry `RESERVED_USAGE`."""

RESERVED_USAGE = ("x-port-reserved-usage", "true")

ENDPOINTS = (
    FakeEndpoint("claim_runs", "POST", re.compile("/v1/actions/runs/claim-pending"), _claim_runs),
    FakeEndpoint("ack_runs", "PATCH", re.compile("/v1/actions/runs/ack"), _ack_runs),
    FakeEndpoint("claim_nodes", "POST", re.compile("/v1/workflows/runs/claim-pending"), _claim_nodes),
    FakeEndpoint("ack_node", "PATCH", re.compile("/v1/workflows/runs/ack"), _ack_node),
    FakeEndpoint("token", "POST", re.compile("/v1/auth/access_token"), _token),
    FakeEndpoint("organization", "PATCH", re.compile("/v1/organization"), _organization),
    FakeEndpoint("kafka_credentials", "GET", re.compile("/v1/kafka-credentials"), _nothing),
    FakeEndpoint("run_log", "POST", re.compile(f"{_RUN}/logs"), _run_log),
    FakeEndpoint("run_response", "PATCH", re.compile(f"{_RUN}/response"), _run_response),
    FakeEndpoint("run_status", "PATCH", re.compile(_RUN), _run_status),
    FakeEndpoint("node_log", "POST", re.compile(f"{_NODE}/logs"), _node_log),
    FakeEndpoint("node_status", "PATCH", re.compile(_NODE), _node_status),
)
