"""Sets of offsets as few numbers, small enough for a commit's metadata.

A set is a tuple of half-open intervals `(first, next)`, in order and apart from each other. As text it is either the
lengths of its runs (few and long ones) or a bitmap (many short ones), whichever is shorter.
"""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

OffsetSet = tuple[tuple[int, int], ...]

MOST_BYTES = 2_900
"""What fits, as base64 and with some room for the rest, into the 4,096 bytes that brokers allow a commit's metadata."""

RUNS, BITS = "r", "b"


def complement(first: int, next: int, holes: Sequence[int]) -> OffsetSet:
    """All of `[first, next)` but `holes`, which are sorted."""
    edges = [first - 1, *(hole for hole in holes if first <= hole < next), next]
    return tuple((low + 1, high) for low, high in pairwise(edges) if low + 1 < high)


def contains(intervals: OffsetSet, offset: int) -> bool:
    """Whether `offset` is in the set."""
    at = bisect_right(intervals, offset, key=lambda interval: interval[0]) - 1
    return at >= 0 and offset < intervals[at][1]


def above(intervals: OffsetSet, offset: int) -> OffsetSet:
    """What of the set is not below `offset`."""
    return tuple((max(first, offset), next) for first, next in intervals if next > offset)


def joined(intervals: Iterable[tuple[int, int]]) -> OffsetSet:
    """The set of ordered intervals that may touch or overlap."""
    found: list[tuple[int, int]] = []
    for first, next in intervals:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], next))
        else:
            found.append((first, next))
    return tuple(found)


def encode(intervals: OffsetSet, start: int) -> str:
    """The set as text; `start` is known to whoever reads it, and not above the set.

    Of a set that does not fit, only the beginning: those who asked `fits` in time have none such.
    """
    runs = _runs(intervals, start)
    bits = _bits(intervals, start)
    kind, data = (RUNS, runs) if len(runs) <= len(bits) else (BITS, bits)
    if len(data) > MOST_BYTES:
        return encode(intervals[: len(intervals) // 2], start)
    return kind + base64.b64encode(data).decode("ascii")


def decode(text: str, start: int) -> OffsetSet:
    """The set that `encode` wrote; raises ValueError for anything else."""
    try:
        data = base64.b64decode(text[1:], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if text[:1] == RUNS:
        return _from_runs(data, start)
    if text[:1] == BITS:
        return _from_bits(data, start)
    raise ValueError("not a set of offsets")


def fits(holes: int, span: int) -> bool:
    """Whether any set that leaves out at most `holes` of `span` offsets fits, and will whichever of them it gets."""
    numbers = 2 * holes + 1
    runs, size = numbers, 128
    while size <= span:  # only so many of them can be so large
        runs += min(numbers, span // size)
        size *= 128
    return min(runs, span // 8 + 1) <= MOST_BYTES


def _runs(intervals: OffsetSet, start: int) -> bytes:
    data = bytearray()
    at = start
    for first, next in intervals:
        data += _number(first - at) + _number(next - first)
        at = next
    return bytes(data)


def _from_runs(data: bytes, start: int) -> OffsetSet:
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
    found = []
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        found.append((start + gap, start + gap + length))
        start += gap + length
    return tuple(found)


def _number(value: int) -> bytes:
    """Seven bits a byte, lowest first; the eighth says that more follow."""
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _bits(intervals: OffsetSet, start: int) -> bytes:
    if not intervals or intervals[-1][1] - start > 8 * MOST_BYTES:
        return bytes(MOST_BYTES + 1) if intervals else b""  # too long to be chosen, and cheap
    value = 0
    for first, next in intervals:
        value |= (1 << next - first) - 1 << first - start
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def _from_bits(data: bytes, start: int) -> OffsetSet:
    value = int.from_bytes(data, "little")
    holes = [start + bit for bit in range(value.bit_length()) if not value >> bit & 1]
    return complement(start, start + value.bit_length(), holes)
