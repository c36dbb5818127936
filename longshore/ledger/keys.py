"""The names of everything in Redis, and what each holds, under one namespace: organization and consumer group.

The scripts build the same names from the prefix; `tests/unit/ledger/test_scripts.py` compares the two.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names of one agent. `prefix` ends with a colon and carries a hash tag, so that all keys share one slot."""

    prefix: str

    @classmethod
    def of(cls, namespace: str) -> "Keys":
        """Keys for `namespace` (organization id and consumer group id)."""
        return cls(f"longshore:{{{namespace}}}:")

    def invocation(self, id: str) -> str:
        """Hash: the record of one invocation, all that scripts and filters need, in clear."""
        return f"{self.prefix}inv:{id}"

    def payload(self, id: str) -> str:
        """String: the sealed message; gone once delivered."""
        return f"{self.prefix}pay:{id}"

    def attempts(self, id: str) -> str:
        """List: sealed attempt history, oldest first, bounded."""
        return f"{self.prefix}att:{id}"

    def reports(self, id: str) -> str:
        """List: what Port is still to hear of this invocation, in order (type character, then sealed)."""
        return f"{self.prefix}out:{id}"

    def waiting(self, lane: str) -> str:
        """Sorted set: invocations waiting in a lane, scored with when they are due (ms)."""
        return f"{self.prefix}wait:{lane}"

    def lanes(self, target: str) -> str:
        """Sorted set: lanes of a target, scored with their turn (small numbers) or when to visit them (ms)."""
        return f"{self.prefix}lanes:{target}"

    @property
    def targets(self) -> str:
        """Sorted set: targets, scored with their turn (small numbers) or when to visit them (ms)."""
        return f"{self.prefix}targets"

    @property
    def leased(self) -> str:
        """Sorted set: claimed and begun invocations, scored with when the lease lapses (lease clock, ms)."""
        return f"{self.prefix}leased"

    @property
    def target_busy(self) -> str:
        """Hash: target → invocations claimed or begun."""
        return f"{self.prefix}busy:target"

    @property
    def lane_busy(self) -> str:
        """Hash: lane → invocations claimed or begun; all suspects of the fleet count as one lane, `!suspects`."""
        return f"{self.prefix}busy:lane"

    @property
    def starts(self) -> str:
        """Hash: target → next free start time (ms) of its rate."""
        return f"{self.prefix}starts"

    @property
    def clock(self) -> str:
        """Hash: the ledger's clocks, the fleet's size and formats, and the ledger's layout.

        `last`, `lead` and `lease`; `slots` and until when they count, `reads` (formats that some worker reads) and
        `writes` (the highest that all read); `layout`.
        """
        return f"{self.prefix}clock"

    @property
    def turn(self) -> str:
        """Integer: the last turn given to a lane or a target."""
        return f"{self.prefix}turn"

    @property
    def fleet(self) -> str:
        """Sorted set: worker processes, scored with when they count as gone (lease clock, ms)."""
        return f"{self.prefix}fleet"

    @property
    def slots(self) -> str:
        """Hash: worker process → how many invocations it may hold at once."""
        return f"{self.prefix}slots"

    @property
    def formats(self) -> str:
        """Hash: worker process → formats of records that it reads, `first-last`."""
        return f"{self.prefix}formats"

    @property
    def unreadable(self) -> str:
        """Sorted set: invocations that wait for a worker which reads their format, scored with when that was found."""
        return f"{self.prefix}unreadable"

    @property
    def dead(self) -> str:
        """Sorted set: dead letters, scored with when they were given up (ms)."""
        return f"{self.prefix}dead"

    @property
    def unknown(self) -> str:
        """Sorted set: unknown outcomes, scored with when they were parked (ms)."""
        return f"{self.prefix}unknown"

    @property
    def outbox(self) -> str:
        """Sorted set: invocations with reports to send, scored with when to send them (ms)."""
        return f"{self.prefix}outbox"

    @property
    def outbox_leased(self) -> str:
        """Sorted set: invocations whose reports somebody is sending, scored with the lease's end (lease clock, ms)."""
        return f"{self.prefix}outbox:leased"

    @property
    def outbox_tries(self) -> str:
        """Hash: invocation → failed tries to report it."""
        return f"{self.prefix}outbox:tries"

    @property
    def outbox_since(self) -> str:
        """Sorted set: invocations with reports that Port has not heard, scored with since when (ms)."""
        return f"{self.prefix}outbox:since"

    @property
    def audited(self) -> str:
        """String: what the last audit in the background found, as JSON (`fleet_audit.py`)."""
        return f"{self.prefix}audited"

    @property
    def audit_turn(self) -> str:
        """String, there while it is nobody's turn to audit in the background."""
        return f"{self.prefix}audit:turn"

    @property
    def forecast(self) -> str:
        """Sorted set: lanes and targets at which something waits long, scored with when to look what to tell of it."""
        return f"{self.prefix}forecast"

    @property
    def foretold(self) -> str:
        """Hash: lane → up to which score its runs were told what is ahead, and its pace (see report_waits.lua)."""
        return f"{self.prefix}foretold"

    @property
    def room(self) -> str:
        """Never exists: deleting it opens the way for a script while Redis is full (`scripts/allow_when_full.lua`).

        Writing nothing to it tells whether Redis takes writes.
        """
        return f"{self.prefix}room"

    @property
    def gates(self) -> str:
        """Hash: what holds targets and lanes back: controls and breakers, see limits_and_breaker.lua."""
        return f"{self.prefix}gates"

    @property
    def said(self) -> str:
        """Sorted set: targets and lanes that an operator said something of; all of them scored with 0."""
        return f"{self.prefix}said"

    @property
    def used(self) -> str:
        """Sorted set: targets and lanes with a mapping's word or a breaker, scored with when it was used (ms)."""
        return f"{self.prefix}used"

    def job(self, id: str) -> str:
        """Hash: a requeue job; with `:ids` behind it the list still to do, with `:canary` those sent first."""
        return f"{self.prefix}job:{id}"

    @property
    def jobs(self) -> str:
        """Sorted set: jobs with something to do."""
        return f"{self.prefix}jobs"

    @property
    def jobs_made(self) -> str:
        """Sorted set: all jobs that are kept, scored with when they were made (seconds)."""
        return f"{self.prefix}jobs:made"

    @property
    def counts(self) -> str:
        """Hash: how many invocations made each move, and how many wait now."""
        return f"{self.prefix}counts"

    @property
    def warned(self) -> str:
        """String, there for an hour after a warning that dead letters are about to go."""
        return f"{self.prefix}warned"

    @property
    def port_budget(self) -> str:
        """Number: until when (ms) the fleet has drawn its calls to the Port API."""
        return f"{self.prefix}port_budget"

    @property
    def brokers(self) -> str:
        """String: Kafka's brokers as ingest knows them, a comma list of host:port; no webhook may go there."""
        return f"{self.prefix}brokers"

    def partition(self, topic: str, partition: int | str) -> str:
        """Hash: `next` offset expected of a partition, and its counters."""
        return f"{self.prefix}part:{topic}/{partition}"

    def open(self, topic: str, partition: int | str) -> str:
        """Sorted set: unfinished invocations of a partition, scored with their offset; only where commits name them."""
        return f"{self.prefix}open:{topic}/{partition}"

    @property
    def ended(self) -> str:
        """Hash: invocation that ended of late → its origin; only where commits name what is unfinished."""
        return f"{self.prefix}ended"

    @property
    def newest(self) -> str:
        """Hash: partition (`topic/n`) → timestamp (ms) of the record read last."""
        return f"{self.prefix}newest"

    @property
    def touched(self) -> str:
        """String, empty: written before replicas are asked what they have."""
        return f"{self.prefix}touched"

    @property
    def name(self) -> str:
        """String: the ledger's own name, a random one. A copy of it has the same, an emptied Redis another."""
        return f"{self.prefix}name"
