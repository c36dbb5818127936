"""Secrets that TARGETS_FILE and the mapping name for targets are looked at before anything starts."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.host_table_files import follow_targets
from config.roles import Role
from config.settings import load
from config.target_files import check_mapping, log_unsafe_in_mapping
from longshore.errors import ConfigProblems
from longshore.invocation.credentials_section import BearerOptions, OAuth2Options
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.log import events
from tests.unit.config.test_target_tls import targets_file


def test_a_secret_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "lines").write_text("canary-one\ncanary-two\n")
    (tmp_path / "whole").write_text("Bearer canary\n")
    (tmp_path / "umlaut").write_text("canäry\n")
    credentials = {
        "gone": {"bearer_file": str(tmp_path / "gone")},
        "empty": {"basic": {"username": "u", "password_file": str(tmp_path / "empty")}},
        "lines": {"basic": {"username": "u", "password_file": str(tmp_path / "lines")}},
        "whole": {"bearer_file": str(tmp_path / "whole")},
        "umlaut": {"bearer_file": str(tmp_path / "umlaut")},
    }
    environ = targets_file(tmp_path, {host: {"credentials": section} for host, section in credentials.items()})
    with pytest.raises(ConfigProblems) as error:
        load(environ, Role.WORKER)

    assert {
        f"'gone', credentials: {tmp_path}/gone: the file cannot be read (no such file or directory)",
        f"'empty', credentials: {tmp_path}/empty: the file is empty",
        f"'lines', credentials: {tmp_path}/lines: the file holds more than one line, or what is no character: give the "
        "secret alone",
        f"'whole', credentials: {tmp_path}/whole: the file begins with 'Bearer ', which is put before it: leave it out "
        "there, or give prefix as an empty text",
        f"'umlaut', credentials: {tmp_path}/umlaut: the file holds what no header can: give one line of ASCII",
    } == {problem.problem for problem in error.value.problems}
    assert "canary" not in str(error.value)
    load(environ, Role.INGEST)


def test_those_of_the_mapping_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    check_mapping([DeliveryOptions(credentials=BearerOptions(str(tmp_path / "token")))])
    with pytest.raises(ConfigProblems, match="mapping 0, delivery, credentials: /missing: the file cannot be read"):
        check_mapping([DeliveryOptions(credentials=OAuth2Options("https://idp", "agent", "/missing"))])


def test_what_can_be_read_is_taken(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y")
    section = {"credentials": {"bearer_file": str(tmp_path / "key"), "header": "X-Api-Key"}}

    assert load(targets_file(tmp_path, {"*": section}), Role.RUN).targets_file is not None


@pytest.mark.parametrize("url", ["http://idp/token", "HTTP://idp:8080/token", "http://127.0.0.1.evil/token"])
def test_a_secret_that_others_could_read_is_warned_of(tmp_path: Path, url: str) -> None:
    """Wherever it is named; a token server on the same machine, such as a sidecar, is no matter of the network."""
    (tmp_path / "secret").write_text("s3cret")
    safe = ["https://idp/token", "http://localhost:8080/token", "http://[::1]/token"]
    options = [OAuth2Options(each, "agent", str(tmp_path / "secret")) for each in [*safe, url]]
    section = {"token_url": url, "client_id": "agent", "client_secret_file": str(tmp_path / "secret")}
    path = Path(targets_file(tmp_path, {"idp": {"credentials": {"oauth2": section}}})["TARGETS_FILE"])

    with capture_logs() as lines:
        log_unsafe_in_mapping([DeliveryOptions(credentials=each) for each in options])
        follow_targets(path)
        follow_targets(path, delivers=True)

    assert [(events.CREDENTIAL_EXPOSED.name, place) for place in ("mapping 3, delivery", "'idp'")] == [
        (line["event"], line["place"]) for line in lines
    ]
