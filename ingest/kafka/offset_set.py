"""Sets of offsets, and their text, which is short enough for a commit's metadata.

A set is a tuple of half-open intervals `(first, next)`, in order and with gaps between them. Its text begins with a
letter for one of two forms, whichever is shorter; base64 follows. Both count from a `start` that the reader knows:

- `r`, run lengths: how far to the next interval, how long it is, and so on; each number as a varint, seven bits in a
  byte. Best for few long intervals.
- `b`, a bitmap: bit n, lowest first, says whether `start + n` is in the set. Best for many short ones.

The invariant: whoever adds offsets asks `fits` before, so a set never gets larger than its text may be. Offsets leave
the set of unfinished ones in any order, so `fits` counts with the worst one.
"""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

OffsetSet = tuple[tuple[int, int], ...]

MAX_BYTES = 2_900
"""What fits, as base64 and with some room for the rest, into the 4,096 bytes that brokers allow a commit's metadata."""

RUNS, BITS = "r", "b"
"""The first character of the text."""


def complement(first: int, next: int, holes: Sequence[int]) -> OffsetSet:
    """All of `[first, next)` except `holes`, which are sorted."""
    edges = [first - 1, *(hole for hole in holes if first <= hole < next), next]
    return tuple((low + 1, high) for low, high in pairwise(edges) if low + 1 < high)


def contains(offsets: OffsetSet, offset: int) -> bool:
    """Whether `offset` is in the set."""
    at = bisect_right(offsets, offset, key=lambda interval: interval[0]) - 1
    return at >= 0 and offset < offsets[at][1]


def drop_below(offsets: OffsetSet, offset: int) -> OffsetSet:
    """The set without what is below `offset`."""
    return tuple((max(first, offset), next) for first, next in offsets if next > offset)


def join(intervals: Iterable[tuple[int, int]]) -> OffsetSet:
    """The set of intervals that are in order, and may touch or overlap."""
    apart: list[tuple[int, int]] = []
    for first, next in intervals:
        if apart and first <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], next))
        else:
            apart.append((first, next))
    return tuple(apart)


def encode(offsets: OffsetSet, start: int) -> str:
    """The set as text; `start` is not above the set, and is passed to `decode` too.

    A set that does not fit (whoever asked `fits` before has none) is cut: an offset that the text does not name counts
    as unfinished and is done again, which is the safe way to be wrong.
    """
    runs = _encode_runs(offsets, start)
    bits = _encode_bits(offsets, start)
    kind, data = (RUNS, runs) if len(runs) <= len(bits) else (BITS, bits)
    if len(data) > MAX_BYTES:
        return encode(offsets[: len(offsets) // 2], start)
    return kind + base64.b64encode(data).decode("ascii")


def decode(text: str, start: int) -> OffsetSet:
    """The set that `encode` wrote; raises ValueError for anything else."""
    try:
        data = base64.b64decode(text[1:], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if text[:1] == RUNS:
        return _decode_runs(data, start)
    if text[:1] == BITS:
        return _decode_bits(data, start)
    raise ValueError("not a set of offsets")


def fits(holes: int, span: int) -> bool:
    """Whether every set that leaves out at most `holes` of `span` offsets fits, whichever of them those are.

    So what fits now still does when some of the holes are filled. Both forms have an upper bound, and the lower of the
    two decides: a bitmap has a byte for 8 offsets; run lengths are at most 2 * `holes` + 1 numbers of one byte each,
    and one byte more for each of them that is 128 or larger, 128² or larger, and so on. As all numbers add up to
    `span`, at most `span // 128` can be that large.
    """
    numbers = 2 * holes + 1
    run_bytes, size = numbers, 128
    while size <= span:
        run_bytes += min(numbers, span // size)
        size *= 128
    return min(run_bytes, span // 8 + 1) <= MAX_BYTES


def _encode_runs(offsets: OffsetSet, start: int) -> bytes:
    data = bytearray()
    at = start
    for first, next in offsets:
        data += _encode_number(first - at) + _encode_number(next - first)
        at = next
    return bytes(data)


def _decode_runs(data: bytes, start: int) -> OffsetSet:
    numbers: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    if shift or len(numbers) % 2:
        raise ValueError("runs that do not end")
    intervals = []
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        intervals.append((start + gap, start + gap + length))
        start += gap + length
    return tuple(intervals)


def _encode_number(value: int) -> bytes:
    """Seven bits a byte, lowest first; the eighth says that more follow."""
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _encode_bits(offsets: OffsetSet, start: int) -> bytes:
    if not offsets or offsets[-1][1] - start > 8 * MAX_BYTES:
        return bytes(MAX_BYTES + 1) if offsets else b""  # too long to be chosen, and cheap
    value = 0
    for first, next in offsets:
        value |= (1 << next - first) - 1 << first - start
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def _decode_bits(data: bytes, start: int) -> OffsetSet:
    value = int.from_bytes(data, "little")
    holes = [start + bit for bit in range(value.bit_length()) if not value >> bit & 1]
    return complement(start, start + value.bit_length(), holes)
