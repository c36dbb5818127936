"""What a message of claims means, whichever version wrote it, and how claims are shared out over messages."""

import itertools
from typing import Any

import pytest

from longshore.ledger.entry import Claim
from tasks.celery.messages import MAX_CLAIMS, decode_claims, encode_claims, split_claims
from tasks.celery.names import format_of, queue_of


def claims(count: int, format: int = 3) -> list[Claim]:
    return [Claim(f"r_{n}", n + 1, 1000 + n, "https://t", n % 3, 1 + n % 2, format) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "workers", "sizes"),
    [
        (1, 1, [1]),
        (20, 1, [20]),
        (21, 1, [20, 1]),
        (40, 4, [10, 10, 10, 10]),
        (3, 8, [1, 1, 1]),
        (100, 2, [20] * 5),
        (2, 0, [2]),
    ],
)
def test_a_fleet_shares_claims_and_a_message_carries_twenty_at_most(count: int, workers: int, sizes: list[int]) -> None:
    assert sizes == [len(message) for message in split_claims(claims(count), workers)]


@pytest.mark.parametrize("format", [1, 2])
def test_a_worker_of_the_version_before_gets_one_claim_a_message(format: int) -> None:
    messages = split_claims(claims(5, format), 1)
    assert [1] * 5 == [len(message) for message in messages]
    assert ("r_0", 1, 1000) == encode_claims(messages[0])


def test_a_message_carries_claims_of_one_format() -> None:
    mixed = [*claims(3, 3), *claims(2, 1), *claims(3, 4)]
    messages = split_claims(mixed, 1)
    assert all(len({claim.format for claim in message}) == 1 for message in messages)
    assert sorted(map(repr, mixed)) == sorted(map(repr, itertools.chain(*messages)))


def test_what_was_encoded_is_decoded() -> None:
    many = claims(MAX_CLAIMS)
    assert (many, [], 0) == decode_claims(list(encode_claims(many)), {}, {}, 3)


@pytest.mark.parametrize(("id", "generation"), [("r_1", 1), ("r_1~2", 2), ("other~2", 1), (None, 1)])
def test_a_single_claim_is_read_from_its_message_and_celerys_headers(id: Any, generation: int) -> None:
    headers = {"id": id, "retries": 4, "shadow": "deliver https://t"}
    claim = Claim("r_1", 7, 99, "https://t", 4, generation, 2)
    assert ([claim], [], 0) == decode_claims(["r_1", 7, 99], {}, headers, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["r_1", 7],
        ["r_1", 7, 99, "more"],
        ["r_1", 7, "soon"],
        [[["r_1", 7, 99, "t", 0, 1, "more"]]],
        [[["r_1", 7]]],
        [[["r_1", 7, 99, "t", 0, 1]], "more"],
    ],
)
def test_claims_of_another_version_are_known_by_id_and_token(arguments: list[Any]) -> None:
    """So that they can go back to the ledger, for a worker that can read them."""
    assert ([], [("r_1", 7)], 0) == decode_claims(arguments, {}, {}, 3)


def test_keywords_are_of_another_version() -> None:
    assert ([], [("r_1", 7)], 0) == decode_claims(["r_1", 7, 99], {"more": 1}, {}, 3)
    assert ([], [("r_1", 7)], 0) == decode_claims([[["r_1", 7, 99, "t", 0, 1]]], {"more": 1}, {}, 3)


@pytest.mark.parametrize("arguments", [None, [], {}, "text", [None], [{}], [7, "r_1"], [None, []]])
def test_what_is_no_claim_is_garbage(arguments: Any) -> None:
    assert ([], [], 1) == decode_claims(arguments, {}, {}, 3)


def test_garbage_costs_its_neighbours_nothing() -> None:
    good = ["r_1", 7, 99, "t", 0, 1]
    decoded = decode_claims([[None, good, {}, ["r_2"], ["r_3", 8], [1] * 6, "x" * 6]], {}, {}, 3)
    assert ([Claim("r_1", 7, 99, "t", 0, 1, 3)], [("r_3", 8)], 5) == decoded


def test_a_queue_tells_the_format_of_its_records() -> None:
    assert [1, 2, 3, 12] == [format_of(queue_of(format)) for format in (1, 2, 3, 12)]
    assert [1, 1, 1] == [format_of(name) for name in ("", "other.2", "deliver.x")]
