"""What of a URL is a secret is found whatever stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation.decrypted import DecryptedMessage
from longshore.invocation.mapping import MappedRequest
from longshore.invocation.request_mask import build_mask
from longshore.invocation.urls import mask_login, split_url


@pytest.mark.parametrize(
    ("url", "masked_url"),
    [
        ("http://user:hun[ter2@h/x", "http://***@h/x"),
        ("http://user:hun\u2100ter2@h/x", "http://***@h/x"),
        ("http://user:hun@ter2@h:80/x@y", "http://***@h:80/x@y"),
        ("http://user:hun/ter2@h/x", "http://***@h/x"),
        ("http://user:hun#ter2@h/x", "http://***@h/x"),
        ("http://h:80/x@y", "http://h:80/x@y"),
        ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
        ("h/x@y", "h/x@y"),
        ("", ""),
    ],
)
def test_a_login_is_not_shown(url: str, masked_url: str) -> None:
    """Nor what may be one: a password with a slash in it ends the host for everybody else."""
    assert masked_url == mask_login(url)


@given(st.text(max_size=60), st.sampled_from(["", "http://", "http://u:p@h/"]))
def test_any_text_has_parts(text: str, start: str) -> None:
    """None of them is an error."""
    split_url(start + text)
    mask_login(start + text)


@pytest.mark.parametrize("login", ["user:hun[ter2", "user:hun\u2100ter2", "user:hunter2@["])
def test_what_must_not_be_told_is_known_for_every_url(login: str) -> None:
    """Previews build requests that are never sent."""
    request = MappedRequest("POST", f"http://{login}@h/x", {}, [], None)

    assert "ter2" not in build_mask(DecryptedMessage("{}"), request).text(f"I got {login.partition(':')[2]}")
