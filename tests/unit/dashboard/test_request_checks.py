"""Who asks, for which host, and from whose page."""

from base64 import b64encode

import pytest

from longshore.dashboard import request_checks

LOGINS = ["ann:pass:word", "jürgen:pässwörd"]


def basic(login: str | bytes) -> str:
    """The header of a login."""
    return f"Basic {b64encode(login.encode() if isinstance(login, str) else login).decode()}"


@pytest.mark.parametrize(("login", "name"), [("ann:pass:word", "ann"), ("jürgen:pässwörd", "jürgen")])
def test_a_login_is_known_by_its_bytes(login: str, name: str) -> None:
    """Any character may be in it."""
    assert name == request_checks.authenticate_basic(LOGINS, basic(login))
    assert name == request_checks.authenticate_basic(LOGINS, basic(login).replace("Basic", "basic"))


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Basic ?", "Bearer x", basic(""), basic(":"), basic("ann:"), basic("ann:pass"),
     basic("jürgen:passwörd"), basic(b"\xff\xfe"), basic("j\u00fcrgen:p".encode("latin-1")), "Basic \x00"],
)  # fmt: skip
def test_anything_else_is_no_login(header: str) -> None:
    """Nor a fault."""
    assert request_checks.authenticate_basic(LOGINS, header) is None


@pytest.mark.parametrize(
    ("site", "origin", "cross_site"),
    [
        ("same-origin", None, False),
        ("cross-site", None, True),
        ("same-site", "http://here:1", True),
        (None, "http://here:1", False),
        (None, "http://HERE:1", False),
        (None, "http://elsewhere", True),
        (None, "http://[::1", True),
        (None, "null", True),
        ("none", None, False),
        ("none", "http://elsewhere", True),
        (None, None, False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_a_page_of_another_site_is_told_from_ours(
    method: str, site: str | None, origin: str | None, cross_site: bool
) -> None:
    """By what browsers add and pages cannot change."""
    all_headers = {"Sec-Fetch-Site": site, "Origin": origin}
    headers = {name: value for name, value in all_headers.items() if value is not None}

    assert cross_site == request_checks.is_cross_site(method, headers, "here:1")


@pytest.mark.parametrize(
    ("method", "mode", "dest", "cross_site"),
    [
        ("GET", "navigate", "document", False),
        ("POST", "navigate", "document", True),
        ("GET", "navigate", "iframe", True),
        ("GET", "navigate", "object", True),
        ("GET", "no-cors", "script", True),
        ("GET", "websocket", "websocket", True),
    ],
)
def test_a_link_of_another_site_may_lead_to_a_page_and_nothing_else(
    method: str, mode: str, dest: str, cross_site: bool
) -> None:
    """Port and chats link to runs; nothing of theirs may read, frame or change them."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}

    assert cross_site == request_checks.is_cross_site(method, headers, "here:1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:5555", "localhost:5555", "localhost.", "[::1]:5555", "10.1.2.3", "ours.example"]
)
def test_addresses_and_our_own_names_are_known(host: str) -> None:
    """No name of somebody else can be made to look like one."""
    assert request_checks.is_allowed_host(host, {"ours.example"})


@pytest.mark.parametrize(
    "host",
    ["evil.example:5555", "127.0.0.1.evil.example", "localhost.evil.example", "xlocalhost", "", "[::1",
     "ours.example.evil", "0x7f.1", "2130706433"],
)  # fmt: skip
def test_a_foreign_name_for_our_address_is_no_way_in(host: str) -> None:
    """Rebinding makes a foreign page one of ours, in the eyes of the browser."""
    assert not request_checks.is_allowed_host(host, {"ours.example"})


def test_what_a_proxy_says_of_the_host_counts_only_where_that_is_set() -> None:
    """Anybody can send that header."""
    headers = {"X-Forwarded-Host": "of.the.client, Ours.example"}

    assert "flower:5555" == request_checks.external_host(headers, "flower:5555", trust_forwarded_host=False)
    assert "ours.example" == request_checks.external_host(headers, "flower:5555", trust_forwarded_host=True)
    assert "flower:5555" == request_checks.external_host({}, "flower:5555", trust_forwarded_host=True)
