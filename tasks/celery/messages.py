"""What a message of the task `deliver` holds: one claim, or many.

    record formats 1 and 2    (id, token, start_ms)      one claim; the rest stands in Celery's headers
    from record format 3      ([claim, claim, ...],)     each of them CLAIM_ITEMS

The queue says which record format it is, so a worker only gets what it can read. Whatever else a message holds comes
from another version: its claims are declined, as far as they can be read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from longshore.ledger.entry import Claim
from tasks.celery.names import DELIVER, task_id

UNKNOWN_FORMAT = 0
"""`Claim.format` of one whose message only another version can read."""

MANY_FROM = 3
"""The first record format whose messages carry many claims."""

MAX_CLAIMS = 20
"""Most claims of one message: so many leases are lost with it."""

CLAIM_ITEMS = ("id", "token", "start_ms", "target", "attempts", "generation")
"""The items of a claim in a message of many, in this order."""


class MessageClaims(NamedTuple):
    """What was found in a message."""

    claims: list[Claim]
    unknown: list[tuple[str, int]]
    """Id and token of claims that only another version can read in full."""
    garbage: int
    """Elements that are no claims at all."""


def split_claims(claims: Sequence[Claim], workers: int) -> list[list[Claim]]:
    """The claims of each message: of one format, and in a fleet of `workers` few enough that all get some."""
    by_format: dict[int, list[Claim]] = {}
    for claim in claims:
        by_format.setdefault(claim.format, []).append(claim)
    messages: list[list[Claim]] = []
    for format, same in by_format.items():
        size = min(MAX_CLAIMS, -(-len(same) // max(1, workers))) if format >= MANY_FROM else 1
        messages += [same[first : first + size] for first in range(0, len(same), size)]
    return messages


def encode_claims(claims: Sequence[Claim]) -> tuple[Any, ...]:
    """The arguments of a message of these claims, which are of one format."""
    first = claims[0]
    if first.format < MANY_FROM:
        return first.id, first.token, first.start_ms
    return ([[c.id, c.token, c.start_ms, c.target, c.attempts, c.generation] for c in claims],)


def decode_claims(arguments: Any, keywords: Any, headers: Mapping[str, Any], format: int) -> MessageClaims:
    """The claims in the arguments of a message from the queue of record format `format`. Raises nothing."""
    match arguments:
        case [list() as items] if not keywords:
            return _decode_many(items, format)
        case [str() as id, int() as token, int() as start_ms] if not keywords:
            return MessageClaims([_decode_single(id, token, start_ms, headers, format)], [], 0)
        case [str() as id, int() as token, *_]:
            return MessageClaims([], [(id, token)], 0)
        case [list() as items, *_]:
            many = _decode_many(items, format)
            return MessageClaims([], [*((c.id, c.token) for c in many.claims), *many.unknown], many.garbage)
        case _:
            return MessageClaims([], [], 1)


def _decode_many(items: list[Any], format: int) -> MessageClaims:
    many = MessageClaims([], [], 0)
    garbage = 0
    for item in items:
        match item:
            case [
                str() as id,
                int() as token,
                int() as start_ms,
                str() as target,
                int() as attempts,
                int() as generation,
            ]:
                many.claims.append(Claim(id, token, start_ms, target, attempts, generation, format))
            case [str() as id, int() as token, *_]:
                many.unknown.append((id, token))
            case _:
                garbage += 1
    return many._replace(garbage=garbage)


def _decode_single(id: str, token: int, start_ms: int, headers: Mapping[str, Any], format: int) -> Claim:
    """The rest of its claim, from the headers with which Celery would tell it."""
    attempts, name = headers.get("retries"), headers.get("shadow")
    prefix, _, number = str(headers.get("id")).rpartition("~")
    generation = int(number) if prefix == id and number.isdecimal() else 1
    target = name.removeprefix(f"{DELIVER} ") if isinstance(name, str) else ""
    return Claim(id, token, start_ms, target, attempts if isinstance(attempts, int) else 0, generation, format)


def celery_id(claim: Claim) -> str:
    """The id of its row in Celery and Flower."""
    return task_id(claim.id, claim.generation)
