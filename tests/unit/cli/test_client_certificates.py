"""`longshore doctor` looks at each certificate that is named: how long it holds, its key and its chain."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.roles import Role
from config.settings import load
from longshore.cli.doctor.client_certificates import check
from longshore.cli.doctor.finding import CheckContext, Finding, Level
from tests.support.certificates import Authority

OK, WARNING, BROKEN = Level.OK, Level.WARNING, Level.BROKEN


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca"))


def findings(folder: Path, tls: dict[str, Any] | None = None, **environ: str) -> list[Finding]:
    """What is said of a targets file with this section for one host, and of `environ`."""
    (folder / "targets.json").write_text(json.dumps({"git": {"tls": tls}}))
    environ["TARGETS_FILE"] = str(folder / "targets.json")
    return list(check(CheckContext(Role.RUN, load(environ, None), environ, "", (), 1)))


@pytest.mark.parametrize(
    ("days", "level", "words"), [(100, OK, "is valid until"), (20, WARNING, "expires on"), (-1, BROKEN, "expired on")]
)
def test_the_end_of_a_certificate_is_told_in_time(
    tmp_path: Path, authority: Authority, days: int, level: Level, words: str
) -> None:
    path = authority.issue("ann", days)
    (finding,) = findings(tmp_path, {"certificate": str(path)})

    assert level is finding.level
    assert finding.text.startswith(f"'git' of TARGETS_FILE: the client certificate {path} {words} 20")


def test_a_key_of_another_certificate_is_named(tmp_path: Path, authority: Authority) -> None:
    (finding,) = findings(tmp_path, {"certificate": str(authority.issue("ann")), "key": str(authority.issue("bob"))})

    assert (BROKEN, True) == (finding.level, "is not that of the first certificate" in finding.text)


def test_a_chain_with_a_gap_is_named(tmp_path: Path, authority: Authority) -> None:
    whole, gap = tmp_path / "whole.pem", tmp_path / "gap.pem"
    whole.write_bytes(authority.issue("ann", 100).read_bytes() + authority.bundle.read_bytes())
    gap.write_bytes(authority.issue("ann", 100).read_bytes() + authority.issue("bob", 100).read_bytes())

    assert not [each for each in findings(tmp_path, {"certificate": str(whole)}) if "the chain in" in each.text]
    (_, finding) = findings(tmp_path, {"certificate": str(gap)})
    assert (WARNING, True) == (finding.level, "has a gap, or another order" in finding.text)


def test_a_certificate_that_is_only_for_servers_is_named(tmp_path: Path, authority: Authority) -> None:
    path = authority.issue("web", 100, usage=ExtendedKeyUsageOID.SERVER_AUTH)

    assert any("is not for clients" in each.text for each in findings(tmp_path, {"certificate": str(path)}))


def test_targets_that_are_not_checked_are_named(tmp_path: Path) -> None:
    assert [WARNING] == [each.level for each in findings(tmp_path, {"verify": False})]


def test_mapping_port_and_kafka_are_looked_at_too(tmp_path: Path, authority: Authority) -> None:
    certificate = str(authority.issue("ann", 100))
    (tmp_path / "mapping.json").write_text(json.dumps([{"delivery": {"tls": {"ca": str(authority.bundle)}}}]))
    found = findings(
        tmp_path,
        CONTROL_THE_PAYLOAD_CONFIG_PATH=str(tmp_path / "mapping.json"),
        PORT_API_TLS_CERTIFICATE=certificate,
        KAFKA_CONSUMER_SSL_CERTIFICATE_LOCATION="/missing",
    )

    assert [
        (WARNING, "mapping 0, delivery"),
        (OK, "PORT_API_TLS_*"),
        (BROKEN, "KAFKA_CONSUMER_SSL_*"),
    ] == [(each.level, each.text.partition(":")[0]) for each in found]
