"""Who may look, and who is said to have acted."""

from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import pytest

from longshore.dashboard import access
from longshore.errors import ConfigError


def options(**given: Any) -> Any:
    return SimpleNamespace(**({"address": "127.0.0.1", "unix_socket": "", "basic_auth": None, "auth": ""} | given))


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "10.0.0.5", "flower.internal"])
def test_beyond_this_machine_a_login_is_needed(address: str) -> None:
    """Anybody could requeue otherwise."""
    with pytest.raises(ConfigError, match="FLOWER_BASIC_AUTH"):
        access.require_login(options(address=address), insecure=False)


@pytest.mark.parametrize(
    "given",
    [
        {"address": "127.0.0.1"},
        {"address": "127.8.9.1"},
        {"address": "::1"},
        {"address": "localhost"},
        {"address": "", "basic_auth": ["ann:pw"]},
        {"address": "0.0.0.0", "auth": "ann@example.com"},
        {"address": "", "unix_socket": "/run/flower.sock"},
    ],
)
def test_with_a_login_or_on_loopback_it_starts(given: dict[str, Any]) -> None:
    """Whichever kind of login."""
    access.require_login(options(**given), insecure=False)


def test_told_so_it_starts_without() -> None:
    """Something in front of it may ask for a login."""
    access.require_login(options(address=""), insecure=True)


def test_the_actor_is_who_is_logged_in() -> None:
    """The name of a basic login, the address of another one, else Flower itself."""
    header = f"Basic {b64encode(b'ann:pass:word').decode()}"

    assert "ann" == access.actor(True, header)
    assert "ann@example.com" == access.actor("ann@example.com", "")
    assert "flower" == access.actor(True, "")
    assert "flower" == access.actor(None, header)


@pytest.mark.parametrize(
    ("site", "origin", "foreign"),
    [
        ("same-origin", None, False),
        ("cross-site", None, True),
        ("same-site", "http://here:1", True),
        (None, "http://here:1", False),
        (None, "http://elsewhere", True),
        (None, "null", True),
        (None, None, False),
    ],
)
def test_a_page_of_another_site_is_told_from_ours(site: str | None, origin: str | None, foreign: bool) -> None:
    """By what browsers add and pages cannot change."""
    assert foreign == access.is_foreign("here:1", site, origin)


def test_without_a_login_a_foreign_name_for_our_address_is_no_way_in() -> None:
    """Rebinding makes a foreign page one of ours, in the eyes of the browser."""
    assert access.is_rebound("evil.example:5555", options())
    assert not access.is_rebound("evil.example:5555", options(basic_auth=["ann:pw"]))
    assert not any(access.is_rebound(host, options()) for host in ("127.0.0.1:5555", "localhost:5555", "[::1]:5555"))
