"""What rests in Redis opens only with the secret, also during a rotation."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.ledger.seal import Bond, Foreign, Sealer, Unsealable, pack


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


BOND = Bond("report S", "r_1", 2, "run_1")


@given(data=st.binary(max_size=500), words=st.tuples(st.text(), st.text(), st.text()), now=st.integers(1, 9))
def test_what_was_bound_opens_where_it_belongs(data: bytes, words: tuple[str, str, str], now: int) -> None:
    """In its generation, and in those after it."""
    purpose, id, run = words
    sealer = Sealer("secret", namespace="org/agent")
    blob = sealer.seal(data, Bond(purpose, id, now, run))

    assert [data, data] == [sealer.open(blob, Bond(purpose, id, each, run)) for each in (now, now + 1)]


@pytest.mark.parametrize(
    "other",
    [
        BOND._replace(purpose="report L"),
        BOND._replace(id="r_2"),
        BOND._replace(run="run_2"),
        BOND._replace(generation=1),
        BOND._replace(generation=0),
        Bond("report", "S r_1", 2, "run_1"),
        None,
    ],
)
def test_what_was_bound_opens_nowhere_else(other: Bond | None) -> None:
    """Nor does it pass for what is bound to nothing."""
    sealer = Sealer("secret", namespace="org/agent")
    with pytest.raises(Foreign, match="does not belong to this record"):
        sealer.open(sealer.seal(b"x", BOND), other)


def test_another_agent_with_the_same_secret_opens_nothing() -> None:
    """Two may share one Redis."""
    blob = Sealer("secret", namespace="org/agent").seal(b"x", BOND)
    with pytest.raises(Foreign):
        Sealer("secret", namespace="org/other").open(blob, BOND)


def test_what_is_bound_to_nothing_passes_for_nothing_that_is() -> None:
    """Else old values could be put into new records."""
    sealer = Sealer("secret", namespace="org/agent")
    with pytest.raises(Foreign):
        sealer.open(sealer.seal(b"x"), BOND)


@given(data=st.binary(max_size=400))
def test_what_is_too_short_to_be_compressed_is_a_stream_of_zlib_all_the_same(data: bytes) -> None:
    """So the version before opens it."""
    assert data == zlib.decompress(pack(data))
