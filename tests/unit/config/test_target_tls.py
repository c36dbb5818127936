"""Files that TARGETS_FILE and the mapping name are looked at before anything starts."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.roles import Role
from config.settings import load
from config.target_files import check_mapping
from config.target_tls import find_mapping_places, log_unverified
from longshore.errors import ConfigProblems
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.tls_section import TlsOptions
from longshore.log import events
from tests.support.certificates import Authority

LEAST = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "secret",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
    "REDIS_URL": "redis://localhost:6379/0",
}


def targets_file(folder: Path, content: dict[str, Any]) -> dict[str, str]:
    """An environment with this file."""
    (folder / "targets.json").write_text(json.dumps(content))
    return {**LEAST, "TARGETS_FILE": str(folder / "targets.json")}


def test_all_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    environ = targets_file(
        tmp_path,
        {
            "*.internal": {"tls": {"certificate": str(tmp_path / "tls.crt")}},
            "git": {"tls": {"ca": str(tmp_path / "ca.crt")}},
        },
    )
    with pytest.raises(ConfigProblems) as error:
        load(environ, Role.WORKER)

    assert {"TARGETS_FILE"} == {problem.variable for problem in error.value.problems}
    assert {
        f"'*.internal', tls: the client certificate {tmp_path}/tls.crt cannot be used: "
        "it cannot be read (no such file or directory)",
        f"'git', tls: ca: \"{tmp_path}/ca.crt\" is no readable file: it does not exist",
    } == {problem.problem for problem in error.value.problems}


def test_programs_that_call_no_target_need_no_certificates(tmp_path: Path) -> None:
    """But they say what is wrong with the file itself."""
    load(targets_file(tmp_path, {"*": {"tls": {"certificate": "/missing"}}}), Role.INGEST)
    with pytest.raises(ConfigProblems, match="did you mean 'tls'"):
        load(targets_file(tmp_path, {"*": {"tsl": {}}}), Role.INGEST)


def test_files_that_can_be_used_are_taken(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    certificate, ca = str(authority.issue("ann")), str(authority.bundle)

    content = {"*": {"tls": {"certificate": certificate, "ca": ca}}}
    assert load(targets_file(tmp_path, content), Role.RUN).targets_file is not None
    check_mapping([DeliveryOptions(), DeliveryOptions(tls=TlsOptions(certificate, ca=ca))])


def test_targets_that_are_not_checked_are_warned_of() -> None:
    deliveries = [DeliveryOptions(tls=TlsOptions(verify=verify)) for verify in (None, True, False)]
    with capture_logs() as lines:
        log_unverified(find_mapping_places(deliveries))

    assert [(events.TLS_VERIFICATION_DISABLED.name, "mapping 2, delivery")] == [
        (line["event"], line["place"]) for line in lines
    ]


def test_what_the_mapping_names_is_looked_at_too() -> None:
    with pytest.raises(ConfigProblems) as error:
        check_mapping([DeliveryOptions(), DeliveryOptions(tls=TlsOptions("/missing", ca="/gone"))])

    assert 2 == len(error.value.problems)
    assert "mapping 1, delivery, tls: the client certificate /missing cannot be used" in str(error.value)
