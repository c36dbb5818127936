"""One target has one name, whatever way its URL is spelled, and never more than host and port in it."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery import BadUrl, Unsendable, lane_of, target_of
from longshore.delivery.target import origin_of, prepare_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://api.internal:8080/hooks/port?x=1", "http://api.internal:8080"),
        ("HTTPS://API.Internal/a", "https://api.internal:443"),
        ("http://api.internal", "http://api.internal:80"),
        ("http://api.internal?q=a/b", "http://api.internal:80"),
        ("http://api.internal#f", "http://api.internal:80"),
        ("  http://a/", "http://a:80"),
        ("http://example.com./a@b", "http://example.com:80"),
        ("http://127.1:80/", "http://127.0.0.1:80"),
        ("https://2130706433/", "https://127.0.0.1:443"),
        ("http://0x7f.0.0.1./", "http://127.0.0.1:80"),
        ("http://0.0.0.0/", "http://127.0.0.1:80"),
        ("http://[::ffff:7f00:1]/", "http://127.0.0.1:80"),
        ("http://[::]/", "http://[::1]:80"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080"),
        ("http://[FE80::A%25eth0]/", "http://[fe80::a%eth0]:80"),
        ("https://bücher.example/", "https://xn--bcher-kva.example:443"),
        ("http://my_service:8000/", "http://my_service:8000"),
        ("http://10.0.0.1:0443/", "http://10.0.0.1:443"),
    ],
)
def test_an_origin_has_one_spelling(url: str, target: str) -> None:
    """Limits and lanes count by this text."""
    assert target == target_of(url)
    assert target == target_of(prepare_url(url)), "what is limited is not what is called"


def test_a_dot_at_the_end_is_called_as_it_is_written() -> None:
    """It keeps the resolver from trying its search domains first."""
    assert ("http", "example.com.", 80) == origin_of(prepare_url("http://example.com./"))


LOGINS = (
    "ann:s3cret",
    "ann",
    "",
    ":",
    "a@b",
    "user:hun[ter2",
    "user:hun]ter2",
    "[::1]:80",
    "user:hun\u2100ter2",
    "us er:hun ter2",
    "user:hun%zzter2",
    "user%40:hun%3Ater2",
    "user:hunter2@[",
)


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("start", ["http://", "HTTPS://", "  http://", "http:///", "http:", "http:\\\\"])
def test_a_login_is_refused_before_anything_else(start: str, login: str) -> None:
    """Whatever stands in it, and without repeating a part of it."""
    with pytest.raises(BadUrl) as caught:
        target_of(f"{start}{login}@host.example:81/hook?x=1")

    assert "bad_request" == caught.value.reason
    assert (None if caught.value.__suppress_context__ else caught.value.__context__) is None
    assert not re.search("s3cret|ter2|host.example|hook", str(caught.value))


@pytest.mark.parametrize(
    "url", ["http://a/@b", "http://a?x=c:d@b", "http://a#b@c", "http://a:80/ann@b", "http://a/x:y@b"]
)
def test_an_at_sign_behind_the_host_is_no_login(url: str) -> None:
    """Paths and queries have them."""
    assert "http://a:80" == target_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "/relative",
        "api.internal/hook",
        "//api.internal/hook",
        "ftp://a/",
        "httpx://a/",
        "http:/a",
        "http://",
        "http:///path",
        "http://:80/",
        "http://*.a/",
        "http://.a/",
        "http://a:99999/",
        "http://a:b/",
        "http://[::1",
        "http://a b/",
        "http://169.254.169.254%2f.evil.example/",
        "http://evil.example%23.good.example/",
        "http://a%00.good.example/",
        "http://a%5C.good.example/",
        "http://good%40evil.example/",
        "javascript:alert(1)",
    ],
)
def test_what_cannot_be_called_is_a_bad_url(url: str) -> None:
    """A clear error that repeats nothing of the URL."""
    with pytest.raises(BadUrl) as caught:
        target_of(url)

    assert "bad_url" == caught.value.reason
    assert url.strip() not in str(caught.value)


@pytest.mark.parametrize("url", ["", "   "])
def test_no_url_is_a_bad_url(url: str) -> None:
    """Not a target without a name."""
    with pytest.raises(BadUrl) as caught:
        target_of(url)

    assert "bad_url" == caught.value.reason


@pytest.mark.parametrize("sneaked", ["\r\nX-A: b", "\n", "\0", "\t", "\x7f"])
def test_control_characters_make_a_bad_url(sneaked: str) -> None:
    """Nobody means them, and somebody on the way may take them for more than a part of the path."""
    with pytest.raises(BadUrl) as caught:
        target_of(f"http://a/b{sneaked}c")

    assert "bad_request" == caught.value.reason


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://a:8/", "http://u:p@"]))
def test_any_text_has_a_target_or_is_a_bad_url(text: str, start: str) -> None:
    """URLs come from payloads; none may be an error of another kind."""
    try:
        target = target_of(start + text)
    except BadUrl:
        return
    assert target == target_of(target)


def test_a_lane_is_a_target_and_an_action() -> None:
    """Two actions of one target do not wait for each other."""
    assert "http://a:80 deploy" == lane_of("http://a:80", "deploy")


def test_errors_can_be_pickled() -> None:
    """Celery sends them between processes."""
    for error in (BadUrl("the URL has no host"), Unsendable("bad_request", "a lone surrogate")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(error), error.reason, error.cause, str(error)) == (
            type(copy),
            copy.reason,
            copy.cause,
            str(copy),
        )


@pytest.mark.parametrize(
    ("url", "query", "wire"),
    [
        ("http://a/x", [], "http://a/x"),
        ("http://a", [("k", "v")], "http://a/?k=v"),
        ("http://a/x?x=1", [("y", "2")], "http://a/x?x=1&y=2"),
        ("http://a/p%2Fq%20r", [], "http://a/p%2Fq%20r"),
        ("http://a/ü b", [("u", "é &")], "http://a/%C3%BC%20b?u=%C3%A9+%26"),
        ("http://a/x", [("l", "a"), ("l", "b"), ("t", "True")], "http://a/x?l=a&l=b&t=True"),
        ("http://a/" + "x" * 5_000, [], "http://a/" + "x" * 5_000),
    ],
)
def test_a_query_is_appended_and_escapes_stay(url: str, query: list[tuple[str, str]], wire: str) -> None:
    """As `requests` encodes them."""
    assert wire == prepare_url(url, query)
