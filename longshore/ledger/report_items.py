"""Reports as the outbox stores them: the kind in clear, so that scripts can merge and drop; the body sealed."""

from longshore.invocation.report_kinds import ReportKind
from longshore.ledger.record import bond
from longshore.ledger.seal import Sealer


def seal_item(
    sealer: Sealer, kind: ReportKind, body: bytes, *, format: int, id: str, generation: int, run: str
) -> bytes:
    """The item for a report on the record `id`, whose `format`, `generation` and `run` it is bound to."""
    return kind.encode() + sealer.seal(body, bond(format, f"report {kind}", id, generation, run))


def open_item(sealer: Sealer, item: bytes, *, format: int, id: str, generation: int, run: str) -> bytes:
    """The body that `seal_item` got. Raises `Unsealable`, or `Foreign` where it was made for another record or kind."""
    kind = item[:1].decode("latin-1")
    return sealer.open(item[1:], bond(format, f"report {kind}", id, generation, run))
