"""Logins of Flower that would let in somebody who has none, and addresses without a login."""

from pathlib import Path

import pytest

from config.flower_login import find_problems
from config.roles import Role
from config.settings import load
from longshore.errors import ConfigProblems

NAMES = {"PORT_ORG_ID": "org", "KAFKA_CONSUMER_GROUP_ID": "org.agent", "REDIS_URL": "redis://127.0.0.1:1/0"}


def wrong(address: str = "127.0.0.1", insecure: str = "false", **environ: str) -> str:
    """The problems, as text."""
    given = {"flower_address": address, "flower_insecure": insecure}
    return "\n".join(map(str, find_problems(given, environ)))


@pytest.mark.parametrize(
    "login",
    ["", " ", "\n", ",", ":", "::", " : ", "ann", "ann:", ":pass", "ann: ", " :pass", "ann:pass,", ",ann:pass",
     "ann:pass,,bob:word", "ann:pass,:", "ann:pass,bob:", "ann:pa,ss", "ann:pass, bob:word", "ann:pass\n",
     "ann:pass\nbob:word", "ann:pa\x00ss"],
)  # fmt: skip
def test_an_empty_or_half_written_login_is_refused(login: str) -> None:
    """Whoever sends nothing would be in; and what is wrong is said without the password."""
    with pytest.raises(ConfigProblems, match="FLOWER_BASIC_AUTH") as refused:
        load({**NAMES, "FLOWER_BASIC_AUTH": login}, Role.FLOWER)

    assert "word" not in str(refused.value).replace("password", "")
    assert "FLOWER_BASIC_AUTH" in wrong(insecure="true", FLOWER_BASIC_AUTH=login), "also where no login is needed"


@pytest.mark.parametrize("login", ["ann:pass", "ann:pass:word", "ann:pass,bob:word", "jürgen:pässwörd", "a b:c d"])
def test_a_login_is_accepted_as_it_is_written(login: str) -> None:
    """Several, with colons in passwords and any letters."""
    assert "" == wrong(address="0.0.0.0", FLOWER_BASIC_AUTH=login)


@pytest.mark.parametrize("addresses", ["", " ", "|", "ann@example.com|", "|ann@example.com", "a@b.c||d@e.f"])
def test_a_half_written_list_of_addresses_is_refused(addresses: str) -> None:
    """A provider that tells no address would let everybody in."""
    assert "FLOWER_AUTH" in wrong(FLOWER_AUTH=addresses)


@pytest.mark.parametrize("text", ["", "\n", "ann:\n", "ann:pass\nbob:word\n", ":"])
def test_so_is_one_in_a_file(tmp_path: Path, text: str) -> None:
    """As secrets are mounted; and a variable that names no file."""
    file = tmp_path / "login"
    file.write_text(text)

    assert "FLOWER_BASIC_AUTH" in wrong(FLOWER_BASIC_AUTH_FILE=str(file))
    assert "FLOWER_BASIC_AUTH_FILE" in wrong(FLOWER_BASIC_AUTH_FILE="")
    file.write_text("ann:pass\n")
    assert "" == wrong(address="0.0.0.0", FLOWER_BASIC_AUTH_FILE=str(file))


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "[::]", "10.0.0.5", "flower.internal"])
def test_beyond_this_machine_a_login_is_needed(address: str) -> None:
    """Anybody could requeue otherwise; something in front of it may ask for a login."""
    assert "FLOWER_ADDRESS" in wrong(address)
    assert "" == wrong(address, insecure="true")
    assert "" == wrong(address, FLOWER_AUTH="ann@example.com")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_on_loopback_it_starts_without(address: str) -> None:
    """Only this machine reaches it."""
    assert "" == wrong(address)


def test_a_local_socket_needs_none() -> None:
    """Only its owner may use it then."""
    assert "" == wrong("", FLOWER_UNIX_SOCKET="/run/flower.sock")


@pytest.mark.parametrize("hosts", ["http://a.example", "a.example:80", "*.example", "a b"])
def test_host_names_are_names(hosts: str) -> None:
    """Neither addresses of pages nor patterns."""
    with pytest.raises(ConfigProblems, match="FLOWER_HOSTS"):
        load({**NAMES, "FLOWER_HOSTS": hosts}, Role.FLOWER)


def test_what_a_provider_needs_and_is_missing_is_named() -> None:
    """Before anybody is sent to it in vain."""
    needed = {
        "FLOWER_AUTH": ".*@acme.io",
        "FLOWER_OAUTH2_KEY": "flower",
        "FLOWER_OAUTH2_SECRET": "s",
        "FLOWER_OAUTH2_REDIRECT_URI": "https://flower.acme.io/login",
    }
    issuer = NAMES | {"FLOWER_OIDC_ISSUER": "https://login.acme.io/"}

    assert "https://login.acme.io" == load({**issuer, **needed}, Role.FLOWER).flower_oidc_issuer
    for name in needed:
        with pytest.raises(ConfigProblems, match=f"{name}: is missing although FLOWER_OIDC_ISSUER is set"):
            load({**issuer, **needed, name: ""}, Role.FLOWER)
    with pytest.raises(ConfigProblems, match="FLOWER_OIDC_ISSUER"):
        load({**issuer, **needed, "FLOWER_OIDC_ISSUER": "login.acme.io"}, Role.FLOWER)
