"""Rules of success and the `Host` header are taken as they stand, or the start fails and says what would be right."""

import json
from typing import Any

import pytest

from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.mapping.schema import Findings, read
from longshore.invocation.success_section import SuccessOptions


def section(value: Any) -> tuple[DeliveryOptions, list[str]]:
    """The section of the one entry of a file, and what is wrong with the file."""
    findings = Findings()
    (entry,) = read(json.dumps([{"delivery": value}]).encode(), findings)
    return entry.delivery, findings.problems


def test_every_rule_is_taken() -> None:
    """Classes of statuses stand for all of theirs."""
    rule = {"statuses": [201, "4xx"], "json": True, "condition": ".body.ok", "otherwise": "retry"}
    expected = SuccessOptions(frozenset({201, *range(400, 500)}), True, ".body.ok", "retry")

    assert (DeliveryOptions(success=expected), []) == section({"success": rule})


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({}, "rules nothing: give statuses, json or condition"),
        ({"otherwise": "retry", "json": False}, "rules nothing: give statuses, json or condition"),
        ({"status": [200]}, "has the unknown key 'status'; did you mean 'statuses'?"),
        ({"statuses": 200}, 'statuses is a number, not a list: give numbers and classes, such as ["2xx", 409]'),
        ({"statuses": []}, 'statuses is empty: give numbers and classes, such as ["2xx", 409]'),
        ({"statuses": ["200"]}, 'statuses has \'200\': give numbers from 200 to 499, or "2xx", "3xx", "4xx"'),
        ({"statuses": [503]}, 'statuses has \'503\': give numbers from 200 to 499, or "2xx", "3xx", "4xx"'),
        ({"json": "true"}, "json is a text, not true or false"),
        ({"condition": " "}, "condition is empty: give a jq expression, such as .body.ok"),
        ({"json": True, "otherwise": "Retry"}, "otherwise is 'Retry'; did you mean 'retry'?"),
    ],
)
def test_a_rule_that_cannot_be_meant_prevents_the_start(rule: Any, problem: str) -> None:
    """A misspelt one would let failures pass."""
    assert [f"mapping 0, delivery, success {problem}"] == section({"success": rule})[1]


@pytest.mark.parametrize("host", ["app.internal", "app.internal:8443", "10.0.0.1", "[fd00::1]:80", "a_b"])
def test_a_host_header_is_a_host(host: str) -> None:
    """With a port where it has one."""
    assert (DeliveryOptions(host_header=host), []) == section({"host_header": host})


@pytest.mark.parametrize(
    "host", ["a:0", "a:65536", "", "http://app.internal", "a b", "a\r\nX: 1", "a/b", ".a", "a:", "user@a", "é", 1]
)
def test_anything_else_prevents_the_start(host: Any) -> None:
    """It would smuggle something in, or reach nobody."""
    (problem,) = section({"host_header": host})[1]
    assert problem.startswith("mapping 0, delivery, host_header is ")
