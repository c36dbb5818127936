"""Mapping files over messages, with real jq: routes in batches, requests, reports, and what goes wrong."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from longshore.errors import ConfigError
from longshore.invocation.decrypted import DecryptedMessage
from longshore.invocation.mapping import (
    JqLimits,
    JqUnavailable,
    MappedRequest,
    Mapping,
    MappingFault,
    MappingFileError,
    Route,
    Unmatched,
)
from longshore.log import events
from tests.integration.invocation.conftest import Load

URL = "http://deployer.internal:8080/hooks/port"
ENDLESS = "def f: f; f"


def message(**properties: Any) -> str:
    """An action run with these properties."""
    method = {"type": "WEBHOOK", "agent": True, "url": URL}
    payload = {"action": {"identifier": "deploy", "invocationMethod": method}, "properties": properties}
    return json.dumps({"action": "deploy", "context": {"runId": "r_1"}, "payload": payload}, separators=(",", ":"))


def test_a_message_that_kills_jq_spoils_only_itself(load: Load) -> None:
    """Its place in the file is named; all others of the batch are routed."""
    mapping = load([{"enabled": f"if .payload.properties.bad then {ENDLESS} else true end"}])

    routes = mapping.routes([message(bad=n == 3) for n in range(8)])

    fault = routes.pop(3)
    assert isinstance(fault, MappingFault)
    assert "mapping 0, enabled" == fault.place
    assert [Route(0, "POST", URL)] * 7 == routes


def test_the_expression_at_fault_is_named(load: Load) -> None:
    """Of all expressions of a request that are evaluated together, the one that is cut off."""
    mapping = load(
        [{"headers": {"X-A": ".action", "X-B": "[.action] | .[1e8] = 1"}, "body": {"deep": {"list": ["1", ".action"]}}}]
    )

    with pytest.raises(MappingFault) as caught:
        mapping.request(0, message())

    assert "mapping 0, headers.X-B" == caught.value.place
    assert "memory" in caught.value.problem


def test_an_expression_that_kills_the_compiler_is_a_warning_at_start(load: Load) -> None:
    """The compiler computes constants; such an expression counts as one with a syntax error."""
    mapping = load([{"body": {"a": '"a"*1e9', "b": ".action"}}])

    assert '{"a":null,"b":"deploy"}' == mapping.request(0, message()).body
    assert "mapping 0, body.a: gives null always: took more than 256 MiB" in mapping.warnings[0]


def test_expressions_that_are_only_together_too_much_are_all_answered(load: Load) -> None:
    """The limits hold for an expression, not for the sum of a mapping's expressions."""
    mapping = load([{"body": {str(n): ".action * 200" for n in range(12)}}], limits=JqLimits(output_bytes=5000))

    assert {str(n): "deploy" * 200 for n in range(12)} == json.loads(mapping.request(0, message()).body or "")


def test_halt_stops_only_its_own_expression(load: Load) -> None:
    """`halt` gives nothing; the other expressions of the request are still evaluated."""
    request = load([{"body": {"a": ".action", "b": "halt", "c": ".payload.properties.n"}}]).request(0, message(n=1))

    assert '{"a":"deploy","b":null,"c":1}' == request.body


def test_an_order_is_evaluated_with_the_route(load: Load) -> None:
    """In either way; one that fails over a message gives none, and the log says where."""
    order = {"order": '.payload.properties.service | if . == "bad" then error else . end'}
    mapping = load([{"delivery": order}])
    services = ["checkout", None, "bad", {"b": 1.50, "a": [1]}, {"a": [1], "b": 1.50}]
    with capture_logs() as lines:
        routes = mapping.routes([message(service=service) for service in services])

    assert [Route(0, "POST", URL, key) for key in ("checkout", "", "", *2 * ['{"a":[1],"b":1.5}'])] == routes
    assert ["mapping 0, delivery, order"] == [line["place"] for line in lines if "place" in line]
    slow = load([{"enabled": "halt"}, {"delivery": order}])
    assert [Route(1, "POST", URL, "checkout")] == slow.routes([message(service="checkout")])


def test_an_order_that_is_no_jq_prevents_the_start(load: Load) -> None:
    """As null it would be no order at all."""
    with pytest.raises(MappingFileError, match=r"mapping 0, delivery, order is no jq expression"):
        load([{"delivery": {"order": ".payload["}}])


def test_halt_in_a_route_is_not_enabled(load: Load) -> None:
    """The next mapping is asked."""
    assert [Route(1, "POST", URL)] == load([{"enabled": "halt"}, {}]).routes([message()])


def test_one_is_not_true_on_the_slow_way_either(load: Load) -> None:
    """Python takes 1 for True, the contract does not."""
    mapping = load([{"enabled": "halt"}, {"enabled": ".payload.properties.n"}, {"enabled": "true"}])

    assert 2 == mapping.select(message(n=1))


@pytest.mark.parametrize(
    "expression",
    ["def f: 1; .action", ".action # comment", ".action # comment \\", "label $f | .action, break $f", "  .action\n"],
)
def test_expressions_of_any_form_fit_between_others(load: Load, expression: str) -> None:
    """Definitions, comments (even with a backslash at the end) and labels stay inside their expression."""
    request = load([{"body": {"a": expression, "b": ".context.runId"}}]).request(0, message())

    assert '"b":"r_1"' in str(request.body)
    assert not str(request.body).startswith('{"a":null')


def test_expressions_cannot_complete_each_other(load: Load) -> None:
    """What has a syntax error of its own gives null, even if brackets would match when joined."""
    mapping = load([{"body": {"a": "1) , (2", "b": "3"}}])

    assert '{"a":null,"b":3}' == mapping.request(0, message()).body
    assert any("mapping 0, body.a" in warning for warning in mapping.warnings)


def test_a_failed_expression_is_logged_by_place_only(load: Load) -> None:
    """Jq's own words quote the message, which may hold secrets."""
    mapping = load([{"body": {"a": '.payload.properties.password | error("s3cret")'}}])

    with capture_logs() as logs:
        mapping.request(0, message(password="s3cret"))

    event = events.MAPPING_EXPRESSION_FAILED
    assert [{"event": event.name, "log_level": event.level, "place": "mapping 0, body.a"}] == logs


def test_the_whole_message_is_sent_by_default_with_every_digit(load: Load) -> None:
    """Non-ASCII is escaped, numbers are printed as Python prints them, and nothing is lost on the way."""
    text = '{"big":12345678901234567890,"tiny":1e-7,"n":1.10,"huge":1e999,"s":"Zürich 🚀 \\ud800"}'

    expected = (
        '{"big":12345678901234567890,"tiny":1e-07,"n":1.1,"huge":1e999,"s":"Z\\u00fcrich \\ud83d\\ude80 \\ud800"}'
    )
    assert expected == load([{"url": '"http://x/"'}]).request(0, text).body


def test_numbers_keep_their_digits_through_jq(load: Load) -> None:
    """A value that is only passed on is the same number afterwards."""
    text = '{"v":[12345678901234567890,1e-7,0.00001,1.5,-3]}'

    assert "[12345678901234567890,1e-07,1e-05,1.5,-3]" == load([{"body": ".v"}]).request(0, text).body


def test_a_lone_surrogate_does_not_make_a_message_unmatched(load: Load) -> None:
    """Jq 1.8 cannot read one; the mapping must not lose the message over it."""
    assert [Route(0, "POST", URL)] == load([{"enabled": '.action == "deploy"'}]).routes([message(s="\ud800")])


def test_a_message_nested_deeply_is_mapped(load: Load) -> None:
    """As deep as messages may be."""
    nested: Any = 1
    for _ in range(505):
        nested = [nested]
    text = message(deep=nested)

    assert json.loads(text) == json.loads(load([{"body": "."}]).request(0, text).body or "")


def test_results_of_the_wrong_type_are_faults(load: Load) -> None:
    """A url, method, or set of headers that no request can be made of is named, not sent in some guise."""
    parts = {"url": ["3", "[1]", "{}", "true"], "method": ["3", "{}"], "headers": ["[1]", '"a"'], "query": ["3", "[1]"]}
    for key, expressions in parts.items():
        for expression in expressions:
            with pytest.raises(MappingFault, match=f"mapping 0, {key} gives a"):
                load([{key: expression}]).request(0, message())


def test_values_that_are_no_text_have_a_defined_form(load: Load) -> None:
    """Headers as JSON text, query values as `requests` prints them."""
    entry = {
        "headers": {"A": "1.5", "B": "true", "C": "[1]", "D": "null", "E": ".nope"},
        "query": {"a": "[1,null,true,[2]]", "b": "{x:1}", "c": "1.5", "d": '""', "e": "false"},
    }
    request = load([entry]).request(0, message())

    assert {"A": "1.5", "B": "true", "C": "[1]"} == request.headers
    assert [("a", "1"), ("a", "True"), ("a", "[2]"), ("b", "x"), ("c", "1.5"), ("d", ""), ("e", "False")] == (
        request.query
    )


def test_a_query_may_be_one_text(load: Load) -> None:
    """As it may for `requests`."""
    assert [("a", "1"), ("b", "")] == load([{"query": '"a=1&b="'}]).request(0, message()).query


def test_mapping_and_method_object_defaults(load: Load) -> None:
    """Without url and method in the mapping the invocation method's count, wherever the message has it."""
    mapping = load([{}])
    runs = {"payload": {"action": {"invocationMethod": {"url": "http://a/", "method": "put"}}}}
    changes = {"changelogDestination": {"url": "http://b/", "method": "PATCH"}, "payload": None}

    assert [
        Route(0, "PUT", "http://a/"),
        Route(0, "PATCH", "http://b/"),
        Route(0, "POST", None),
        Route(0, "POST", None),
    ] == mapping.routes([json.dumps(text) for text in (runs, changes, {}, {"payload": [1], "changelogDestination": 2})])


def test_an_empty_file_matches_nothing(load: Load) -> None:
    """`[]` is valid."""
    assert [Unmatched()] * 2 == load([]).routes([message(), message()])


def test_report_keys_keep_null_and_type(load: Load) -> None:
    """The caller lets each override its default; a key that the mapping lacks is not there."""
    mapping = load([{"report": {"status": ".nope", "link": ".response.json", "externalRunId": ".response.statusCode"}}])

    report = mapping.report(0, '{"body":{},"request":{},"response":{"statusCode":201,"json":["a"]}}')

    assert {"status": None, "link": ["a"], "externalRunId": 201} == report
    assert {} == load([{}]).report(0, "{}")


def test_a_report_that_is_cut_off_is_a_fault(load: Load) -> None:
    """The delivery was made; the caller reports the defaults instead."""
    with pytest.raises(MappingFault, match=r"mapping 0, report\.link"):
        load([{"report": {"status": '"SUCCESS"', "link": ENDLESS}}]).report(0, "{}")


def test_expressions_see_the_given_environment(load: Load) -> None:
    """And not the program's own."""
    mapping = load([{"headers": {"A": "env.TOKEN", "P": "env.PATH"}}], env={"TOKEN": "t0k"})

    assert {"A": "t0k"} == mapping.request(0, message()).headers


def test_the_built_in_mappings_load_without_warnings() -> None:
    """And tell GITLAB runs from all others."""
    mapping = Mapping.load(None, {})
    try:
        gitlab = '{"payload":{"action":{"invocationMethod":{"type":"GITLAB","groupName":"g","projectName":"p"}}}}'
        assert () == mapping.warnings
        assert [
            Route(0, "POST", "https://gitlab.com/api/v4/projects/g%2Fp/trigger/pipeline"),
            Route(1, "POST", URL),
        ] == mapping.routes([gitlab, message()])
        assert (True, False) == (mapping.has_report(0), mapping.has_report(1))
    finally:
        mapping.close()


def test_the_digest_changes_with_the_content(load: Load) -> None:
    """16 hex digits by which a stored invocation names the file it was routed by."""
    one, same, other = load([{}]), load([{}]), load([{"url": '"http://x/"'}])

    assert one.digest == same.digest != other.digest
    assert 16 == len(one.digest)


def test_likely_mistakes_are_warnings(load: Load) -> None:
    """They do not stop the start, and name their place."""
    mapping = load(
        [
            {"enabled": "]", "header": {}, "body": ".body", "report": {"state": "1", "link": "]", "summary": ".body"}},
            {"url": ".payload.invocationMethod.url", "body": ".payload.body", "fieldsToDecryptPaths": [".a", "b[0]"]},
        ]
    )

    text = "\n".join(mapping.warnings)
    assert "mapping 0: unknown key 'header' is ignored; did you mean 'headers'?" in text
    assert "mapping 0, report: unknown key 'state' is ignored; did you mean 'status'?" in text
    assert "mapping 0, body: there is no .body here" in text
    assert "mapping 0, enabled: gives null always: syntax error" in text
    assert "mapping 0, report.link: gives null always: syntax error" in text
    assert "mapping 1, url: the invocation method is at .payload.action.invocationMethod" in text
    assert 2 == text.count("mapping 1, fieldsToDecryptPaths")
    assert "mapping 1, body" not in text
    assert 8 == len(mapping.warnings)


def test_an_unusable_file_names_all_its_problems(load: Load, tmp_path: Path) -> None:
    """Missing, not JSON, or against the schema; as an error of the variable that names the file."""
    with pytest.raises(MappingFileError, match=r"cannot be read: No such file.*Give the path"):
        Mapping.load(tmp_path / "missing.json", {})
    with pytest.raises(ConfigError) as caught:
        load([{"body": []}, {"headers": {"X": None}}, 3])

    assert "CONTROL_THE_PAYLOAD_CONFIG_PATH" == caught.value.variable
    for part in ("mapping 0, body is a list", "mapping 1, headers 'X': is null", "mapping 2 is a number"):
        assert part in caught.value.problem
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


def test_errors_survive_pickling() -> None:
    """Celery pickles errors; one that cannot be rebuilt would bring a worker down."""
    for error in (MappingFault("mapping 0, url", "gives a number"), JqUnavailable("closed")):
        assert (str(error), type(error)) == (str(pickle.loads(pickle.dumps(error))), type(error))


def test_a_variable_that_was_badly_pasted_is_named_without_its_value(load: Load) -> None:
    """A header with a newline is refused at every attempt; a key has line breaks of its own."""
    env = {"TOKEN": "hush\n", "QUOTED": "'hush'", "KEY": "-----BEGIN\nhush\n", "FINE": "hush", "UNREAD": "hush\n"}
    entry = {"headers": {"A": "env.TOKEN", "B": 'env["QUOTED"]', "C": "env.KEY", "D": "$ENV.FINE"}}
    warnings = load([entry], env=env).warnings

    assert ["QUOTED", "TOKEN"] == [text.removeprefix("the variable ").partition(",")[0] for text in warnings]
    assert "hush" not in "".join(warnings)


def test_a_variable_that_nobody_sets_is_named(load: Load) -> None:
    """The header would say null; where there is a default, it is meant so."""
    entry = {
        "url": '(env.BASE // "http://x/") + .path',
        "headers": {"A": "env.UNSET", "B": '"Bearer " + $ENV["TOKEN"]', "C": "env.SET", "D": "env.EMPTY"},
        "body": 'env["ALSO_UNSET"] | ascii_downcase',
    }
    warnings = load([entry], env={"SET": "x", "EMPTY": ""}).warnings

    assert [
        f"the variable {name}, which the mapping reads, is not set" for name in ("ALSO_UNSET", "TOKEN", "UNSET")
    ] == [text.partition(", or is a secret")[0] for text in warnings]


def test_a_message_that_is_sent_as_a_form_is_not_its_own_body(load: Load) -> None:
    """Whatever ingest has found out about its text."""
    mapping = load([{"bodyFormat": "form"}, {}])
    message = DecryptedMessage('{"a":"1 2"}', verbatim=True)
    requests = [mapping.requests(entry, [message])[0] for entry in (0, 1)]

    assert ["a=1+2", '{"a":"1 2"}'] == [request.body for request in requests if isinstance(request, MappedRequest)]
    assert [False, True] == [mapping.sends_message(entry) for entry in (0, 1)]


def test_a_condition_with_a_syntax_error_prevents_the_start(load: Load) -> None:
    """It would make a failure of every delivery."""
    with pytest.raises(
        MappingFileError, match=r"mapping 1, delivery, success, condition is no jq expression: syntax error"
    ):
        load([{}, {"delivery": {"success": {"condition": ".body.["}}}])
