"""Which bundle is in effect: the one that is assembled, unless the user named another."""

import os
import tempfile
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.settings import Settings, load
from longshore.errors import ConfigProblems
from longshore.log import events
from longshore.runtime.ca_trust import SYSTEM_BUNDLES, BundleWatch, install, kafka_bundle, temporary_bundle
from tests.support.certificates import Authority

LEAST = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "s3cret-value",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
}
NAMES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A private CA, whose certificate is mounted nowhere yet."""
    (tmp_path / "ca").mkdir()
    return Authority.create(tmp_path / "ca")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a folder and a bundle of the test's own."""
    (tmp_path / "mounted").mkdir()
    places = {"LONGSHORE_CA_DIR": str(tmp_path / "mounted"), "LONGSHORE_CA_BUNDLE": str(tmp_path / "out" / "all.crt")}
    return load({**LEAST, **places})


def mount(settings: Settings, authority: Authority) -> str:
    """Puts the CA's certificate, without a final newline, into the folder; returns it."""
    text = authority.bundle.read_text().rstrip()
    (settings.longshore_ca_dir / "cert.crt").write_text(text)
    return text


def test_the_bundle_is_exported_where_nothing_is_set(settings: Settings, authority: Authority) -> None:
    """For requests, OpenSSL and Kafka; public CAs are in it too."""
    text = mount(settings, authority)
    environ = {"REQUESTS_CA_BUNDLE": ""}
    assert install(settings, environ)

    bundle = settings.longshore_ca_bundle
    assert dict.fromkeys(NAMES, str(bundle)) == environ
    assert text in bundle.read_text()
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 50
    assert str(bundle) == kafka_bundle(environ)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("REQUESTS_CA_BUNDLE", {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}),
        ("CURL_CA_BUNDLE", {"SSL_CERT_FILE"}),
        ("SSL_CERT_FILE", {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}),
    ],
)
def test_what_the_user_set_stays_and_stays_in_effect(
    settings: Settings, authority: Authority, name: str, ours: set[str]
) -> None:
    """An exported REQUESTS_CA_BUNDLE would win over a user's CURL_CA_BUNDLE."""
    environ = {name: str(authority.bundle)}
    install(settings, environ)

    assert str(authority.bundle) == environ.pop(name)
    assert dict.fromkeys(ours, str(settings.longshore_ca_bundle)) == environ


def test_a_place_that_cannot_be_written_stops_nothing(settings: Settings, tmp_path: Path) -> None:
    """It is said, nothing is exported, and what names a bundle that is not there is taken back."""
    (tmp_path / "out").write_text("a file")
    environ = {"REQUESTS_CA_BUNDLE": str(settings.longshore_ca_bundle), "HOME": "/"}
    with capture_logs() as logs:
        assert not install(settings, environ)

    assert {"HOME": "/"} == environ
    assert [events.CA_BUNDLE_WRITE_FAILED.name] == [line["event"] for line in logs]


def test_nothing_found_is_not_exported(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty bundle would trust nobody."""
    monkeypatch.setattr("longshore.runtime.ca_trust.SYSTEM_BUNDLES", ())
    environ: dict[str, str] = {}

    assert not install(settings, environ)
    assert {} == environ
    assert not settings.longshore_ca_bundle.exists()


def test_broken_files_are_named_in_the_log(settings: Settings) -> None:
    """A warning each, with path and reason."""
    (settings.longshore_ca_dir / "bad.crt").write_text("x")
    with capture_logs() as logs:
        install(settings, {})

    (line,) = [line for line in logs if line["event"] == events.CA_BUNDLE_SKIPPED.name]
    assert ("warning", "bad.crt") == (line["log_level"], Path(line["path"]).name)


def test_the_bundle_follows_its_files(settings: Settings, authority: Authority) -> None:
    """A certificate that comes or goes, and a bundle that was deleted; else nothing is written."""
    watch = BundleWatch(settings)
    install(settings, {})
    assert not watch.refresh()

    text = mount(settings, authority)
    assert watch.refresh()
    assert text in settings.longshore_ca_bundle.read_text()
    (settings.longshore_ca_dir / "cert.crt").unlink()
    assert watch.refresh()
    assert text not in settings.longshore_ca_bundle.read_text()
    settings.longshore_ca_bundle.unlink()
    assert watch.refresh()
    assert not watch.refresh()


def test_a_swapped_secret_of_kubernetes_is_noticed(settings: Settings, authority: Authority) -> None:
    """Its files are the same links before and after; what they lead to is another folder."""
    team = settings.longshore_ca_dir / "team"
    for name, text in {"..old": "", "..new": authority.bundle.read_text()}.items():
        (team / name).mkdir(parents=True)
        (team / name / "ca.crt").write_text(text)
    (team / "..data").symlink_to("..old")
    (team / "ca.crt").symlink_to("..data/ca.crt")
    watch = BundleWatch(settings)
    install(settings, {})
    (team / "..tmp").symlink_to("..new")
    os.rename(team / "..tmp", team / "..data")

    assert watch.refresh()


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "it does not exist"), ("hello", "no readable PEM bundle"), ("", "no readable PEM bundle")],
)
def test_a_users_bundle_that_cannot_be_used_is_an_error_at_start(
    tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    """Else every call would fail, long after the start."""
    if content is not None:
        (tmp_path / "own.pem").write_text(content)
    with pytest.raises(ConfigProblems, match=f"{name}: .*own.pem.*{words}"):
        load({**LEAST, name: str(tmp_path / "own.pem")})


def test_glued_certificates_are_an_error_at_start(tmp_path: Path, authority: Authority) -> None:
    """OpenSSL reads none of such a bundle."""
    text = authority.bundle.read_text().rstrip()
    (tmp_path / "own.pem").write_text(text + text)
    with pytest.raises(ConfigProblems, match="REQUESTS_CA_BUNDLE"):
        load({**LEAST, "REQUESTS_CA_BUNDLE": str(tmp_path / "own.pem")})


def test_a_folder_may_be_a_users_bundle_if_it_is_hashed(tmp_path: Path, authority: Authority) -> None:
    """As `requests` documents it."""
    folder = tmp_path / "hashed"
    folder.mkdir()
    with pytest.raises(ConfigProblems, match="c_rehash"):
        load({**LEAST, "REQUESTS_CA_BUNDLE": str(folder)})
    (folder / "0123abcd.0").symlink_to(authority.bundle)
    load({**LEAST, "REQUESTS_CA_BUNDLE": str(folder)})


def test_a_bundle_that_is_not_in_effect_is_not_checked(tmp_path: Path, authority: Authority) -> None:
    """CURL_CA_BUNDLE does not count beside REQUESTS_CA_BUNDLE; our own bundle is made later."""
    load({**LEAST, "REQUESTS_CA_BUNDLE": str(authority.bundle), "CURL_CA_BUNDLE": str(tmp_path / "gone.pem")})
    ours = str(tmp_path / "not-yet.crt")
    load({**LEAST, "LONGSHORE_CA_BUNDLE": ours, "REQUESTS_CA_BUNDLE": ours, "CURL_CA_BUNDLE": ours})


def test_an_unusable_ssl_cert_file_is_said(settings: Settings, tmp_path: Path) -> None:
    """It stops nothing, as only Kafka needs it."""
    environ = {"SSL_CERT_FILE": str(tmp_path / "gone.pem")}
    with capture_logs() as logs:
        install(settings, environ)

    assert events.CA_BUNDLE_SSL_CERT_FILE_REJECTED.name in [line["event"] for line in logs]
    assert kafka_bundle(environ) is None


def test_public_cas_are_found_on_this_machine() -> None:
    """In the image's bundle or in that of `requests`."""
    assert any(Path(path).is_file() for path in SYSTEM_BUNDLES)


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_setting_the_bundle_goes_to_a_folder_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """In /tmp anybody could be first. The image names a place of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    chosen = {} if value is None else {"LONGSHORE_CA_BUNDLE": value}
    assert tmp_path / ".cache/longshore/ca-certificates.crt" == load({**LEAST, **chosen}).longshore_ca_bundle
    image = (Path(__file__).parents[3] / "Dockerfile").read_text()
    assert "LONGSHORE_CA_BUNDLE=/tmp/port-agent/ca-certificates/ca-certificates.crt" in image


def test_a_command_trusts_what_is_mounted_and_leaves_the_agent_s_bundle_alone(
    settings: Settings, authority: Authority
) -> None:
    """It may run as another user; its own file is gone afterwards."""
    text = mount(settings, authority)
    environ: dict[str, str] = {}
    with temporary_bundle(settings, environ):
        path = Path(environ["SSL_CERT_FILE"])
        assert text in path.read_text()

    assert not path.exists()
    assert not settings.longshore_ca_bundle.exists()


def test_a_command_that_can_write_nothing_trusts_what_the_agent_wrote(
    settings: Settings, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing, where none has."""
    mount(settings, authority)
    install(settings, {})
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    environ: dict[str, str] = {}
    with temporary_bundle(settings, environ):
        assert str(settings.longshore_ca_bundle) == environ["SSL_CERT_FILE"]
    settings.longshore_ca_bundle.unlink()
    other: dict[str, str] = {}
    with temporary_bundle(settings, other):
        assert {} == other
