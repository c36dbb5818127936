"""What we write into the metadata of each commit, for whoever reads the partition next.

It tells our commits from those of others (the original agent, an operator who resets offsets), and a ledger that has
lost its end from one that is another. Kafka keeps it beside the offset, and hands both out together.
"""

from dataclasses import dataclass

from ingest.kafka import offset_set
from ingest.kafka.offset_set import OffsetSet

FORMAT = "longshore/1"


@dataclass(frozen=True, slots=True)
class CommitMetadata:
    """Which ledger has all below the committed offset, and from which offset on it has read the partition.

    `initial_partitions` is how many partitions the topic had when the group began to read it: others
    were added later.
    `finished`: None where the ledger lasts and answers for what it has. Otherwise all below the committed offset is
    finished, and so are these offsets above it: a new ledger need not do them again.
    """

    ledger: str
    first_offset: int
    initial_partitions: int = 0
    finished: OffsetSet | None = None

    def text(self, offset: int) -> str:
        """For the metadata of the commit of `offset`."""
        words = [FORMAT, self.ledger, str(self.first_offset), str(self.initial_partitions)]
        if self.finished is not None:
            words.append(offset_set.encode(self.finished, offset))
        return " ".join(words)


def parse(text: str | None, offset: int) -> CommitMetadata | None:
    """What the metadata says of the commit of `offset`; None if it is not one of ours."""
    words = (text or "").split(" ")
    if len(words) not in (4, 5) or words[0] != FORMAT:
        return None
    try:
        finished = offset_set.decode(words[4], offset) if len(words) == 5 else None
        return CommitMetadata(words[1], int(words[2]), int(words[3]), finished)
    except ValueError:
        return None
