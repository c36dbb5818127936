"""Prepares batches by the mapping and the limits file that are in force, and keeps the ledger's limits after them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.mapping_file import PerMapping
from ingest.batch_preparer import BatchPreparer, PreparedBatch
from ingest.source import R
from ingest.target_limits import TargetLimits


@dataclass(frozen=True, slots=True)
class MappedPreparer:
    """What is made of one mapping."""

    preparer: BatchPreparer
    limits: TargetLimits


class CurrentPreparer:
    """As a `BatchPreparer`: a batch is prepared by one mapping, the next one by another if the file was changed."""

    def __init__(self, preparers: PerMapping[MappedPreparer]) -> None:
        self._preparers = preparers

    def prepare(self, records: Sequence[R], is_finished: Callable[[R], bool] = lambda _: False) -> PreparedBatch[R]:
        """See `BatchPreparer.prepare`."""
        return self._preparers.get().preparer.prepare(records, is_finished)

    def make_unstorable(self, record: R) -> PreparedBatch[R]:
        """See `BatchPreparer.make_unstorable`."""
        return self._preparers.get().preparer.make_unstorable(record)

    def sync_limits(self) -> None:
        """Write what the mapping says of targets to the ledger, also while nothing is prepared."""
        self._preparers.get().limits.sync()
