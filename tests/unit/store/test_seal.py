"""What rests in Redis opens only with the secret, also during a rotation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.store.seal import Sealer, Unsealable


@given(data=st.binary(max_size=5000))
def test_what_was_sealed_opens_again(data: bytes) -> None:
    """For any bytes."""
    assert data == Sealer("secret").open(Sealer("secret").seal(data))


def test_the_previous_secret_still_opens_what_it_sealed() -> None:
    """Work accepted before a rotation is delivered after it."""
    assert b"x" == Sealer("new", previous="old").open(Sealer("old").seal(b"x"))


@pytest.mark.parametrize("damage", [b"", b"\x01", b"{}" * 30])
def test_foreign_bytes_are_refused(damage: bytes) -> None:
    """Never garbage out."""
    with pytest.raises(Unsealable):
        Sealer("secret").open(damage)


def test_altered_bytes_are_refused() -> None:
    """Somebody wrote to Redis."""
    blob = bytearray(Sealer("secret").seal(b"payload"))
    blob[-1] ^= 1
    with pytest.raises(Unsealable):
        Sealer("secret").open(bytes(blob))


def test_nothing_of_the_plaintext_can_be_read() -> None:
    """Not even a repeated part of it."""
    assert b"hunter2" not in Sealer("secret").seal(b"hunter2" * 100)
