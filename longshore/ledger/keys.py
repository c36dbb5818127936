"""The names of everything in Redis, and what each holds, under one namespace: organization and consumer group.

The scripts build the same names from the prefix; `tests/unit/ledger/test_scripts.py` compares the two. Names in Redis
belong to the layout (schema_version.py), so they stay as they are even where a property here has a better name.
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
        """String: the sealed message. Expires some time after the delivery (`Limits.keep_payload`)."""
        return f"{self.prefix}pay:{id}"

    def attempts(self, id: str) -> str:
        """List: sealed attempt history, oldest first, bounded."""
        return f"{self.prefix}att:{id}"

    def reports(self, id: str) -> str:
        """List: reports on this invocation that Port has not received yet, in order (kind character, then sealed)."""
        return f"{self.prefix}out:{id}"

    def waiting(self, lane: str) -> str:
        """Sorted set: invocations waiting in a lane, scored with when they are due (ms), see `due_scores`."""
        return f"{self.prefix}wait:{lane}"

    def order(self, hash: str) -> str:
        """Sorted set: invocations of one key that have not ended, first accepted first (scripts/order.lua)."""
        return f"{self.prefix}order:{hash}"

    @property
    def orders(self) -> str:
        """Sorted set: hashes of the orders there are, scored with when to look at them (ms): see scripts/order.lua."""
        return f"{self.prefix}orders"

    def lanes(self, target: str) -> str:
        """Sorted set: lanes of a target, scored with their turn (small numbers) or when to visit them (ms)."""
        return f"{self.prefix}lanes:{target}"

    @property
    def targets(self) -> str:
        """Sorted set: targets, scored with their turn (small numbers) or when to visit them (ms)."""
        return f"{self.prefix}targets"

    @property
    def leases(self) -> str:
        """Sorted set: claimed and begun invocations, scored with when their lease lapses (lease clock, ms)."""
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
        """Hash: target → when its rate allows the next start (ms)."""
        return f"{self.prefix}starts"

    @property
    def clock(self) -> str:
        """Hash: the ledger's clocks, the fleet's size and formats, and the ledger's layout.

        `last`, `lead` and `lease`; `slots` and until when they count, `reads` (formats that some worker reads) and
        `writes` (the highest that all read); `layout`; `ordered` once a mapping has asked for an order.
        """
        return f"{self.prefix}clock"

    @property
    def turn(self) -> str:
        """Integer: the last turn given to a lane or a target."""
        return f"{self.prefix}turn"

    @property
    def fleet(self) -> str:
        """Sorted set: worker processes, scored with when they count as dead (lease clock, ms)."""
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
        """Sorted set: invocations for which no worker reads their format, scored with when that was seen (ms)."""
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
    def acks(self) -> str:
        """Sorted set: runs whose claim is to be acknowledged to Port, all held ones among them; scored with when.

        By the lease clock (ms). While one process asks Port, that is when somebody else may.
        """
        return f"{self.prefix}acks"

    def first_reports(self, id: str) -> str:
        """List: the reports that a held invocation begins with, before they go to the outbox."""
        return f"{self.prefix}first:{id}"

    @property
    def outbox(self) -> str:
        """Sorted set: invocations with reports to send, scored with when to send them (ms)."""
        return f"{self.prefix}outbox"

    @property
    def outbox_leases(self) -> str:
        """Sorted set: invocations whose reports are leased, scored with when the lease lapses (lease clock, ms)."""
        return f"{self.prefix}outbox:leased"

    @property
    def outbox_tries(self) -> str:
        """Hash: invocation → failed attempts to send its reports in a row."""
        return f"{self.prefix}outbox:tries"

    @property
    def outbox_since(self) -> str:
        """Sorted set: invocations with unsent reports, scored with since when there are any (ms)."""
        return f"{self.prefix}outbox:since"

    @property
    def audit_result(self) -> str:
        """String: the result of the last background audit, as JSON (`fleet_audit.py`)."""
        return f"{self.prefix}audited"

    @property
    def audit_turn(self) -> str:
        """String: the lease of the background audit; exists while no process is to start another."""
        return f"{self.prefix}audit:turn"

    @property
    def forecast(self) -> str:
        """Sorted set: lanes and targets with long waits, scored with when to look at them (ms): report_waits.lua."""
        return f"{self.prefix}forecast"

    @property
    def reported_waits(self) -> str:
        """Hash: lane → up to which score its waits were reported, and a sample of its pace (see report_waits.lua)."""
        return f"{self.prefix}foretold"

    @property
    def room(self) -> str:
        """Never exists: deleting it lets a script write while Redis is full (`scripts/allow_when_full.lua`).

        Writing an empty range to it shows whether Redis accepts writes.
        """
        return f"{self.prefix}room"

    @property
    def gates(self) -> str:
        """Hash: what holds targets and lanes back: controls and breakers, see limits_and_breaker.lua."""
        return f"{self.prefix}gates"

    @property
    def operator_controlled(self) -> str:
        """Sorted set: targets and lanes with an operator's control; all of them scored with 0."""
        return f"{self.prefix}said"

    @property
    def last_used(self) -> str:
        """Sorted set: targets and lanes with a mapping's control or a breaker, scored with their last use (ms)."""
        return f"{self.prefix}used"

    def job(self, id: str) -> str:
        """Hash: a requeue job. Beside it two lists: `:ids`, those still to requeue, and `:canary`, the first ones."""
        return f"{self.prefix}job:{id}"

    @property
    def jobs(self) -> str:
        """Sorted set: jobs that workers carry on with; all of them scored with 1."""
        return f"{self.prefix}jobs"

    @property
    def jobs_created(self) -> str:
        """Sorted set: all jobs that are kept, scored with when they were created (s)."""
        return f"{self.prefix}jobs:made"

    @property
    def counts(self) -> str:
        """Hash: how many invocations made each move, and how many wait now (`backlog`)."""
        return f"{self.prefix}counts"

    def activity(self, span: str) -> str:
        """Hash: what the fleet did in one span of time, or saw last (`seen`); expires, see `scripts/activity.lua`."""
        return f"{self.prefix}act:{span}"

    @property
    def expiry_warning(self) -> str:
        """String: exists for an hour after a warning that dead letters expire soon."""
        return f"{self.prefix}warned"

    @property
    def port_budget(self) -> str:
        """Number: the theoretical arrival time (ms) of the rate limit on calls to the Port API (GCRA)."""
        return f"{self.prefix}port_budget"

    @property
    def brokers(self) -> str:
        """String: Kafka's brokers as ingest knows them, a comma list of host:port; no webhook may go there."""
        return f"{self.prefix}brokers"

    def partition(self, topic: str, partition: int | str) -> str:
        """Hash: `next` offset expected of a partition, and its counters."""
        return f"{self.prefix}part:{topic}/{partition}"

    def open(self, topic: str, partition: int | str) -> str:
        """Sorted set: unfinished invocations of a partition, scored with their offset; only with `Limits.open`."""
        return f"{self.prefix}open:{topic}/{partition}"

    @property
    def recent_ends(self) -> str:
        """Hash: invocation that ended recently → its origin; only with `Limits.open`, see unfinished.lua."""
        return f"{self.prefix}ended"

    @property
    def newest(self) -> str:
        """Hash: partition (`topic/n`) → timestamp (ms) of the record read last."""
        return f"{self.prefix}newest"

    @property
    def intake(self) -> str:
        """String: exists while an operator has stopped intake; who, and since when, as JSON (`intake.py`)."""
        return f"{self.prefix}intake"

    @property
    def notify(self) -> str:
        """Hash: which process sends notifications and until when (ms), and what each destination was told."""
        return f"{self.prefix}notify"

    @property
    def drill(self) -> str:
        """Hash: the drill that goes on, until when, and the target that it has paused; see scripts/drill_pause.lua."""
        return f"{self.prefix}drill"

    @property
    def write_marker(self) -> str:
        """String, empty: written before replicas are asked how far they have come (WAIT)."""
        return f"{self.prefix}touched"

    @property
    def name(self) -> str:
        """String: the ledger's random name. A replica has the same, a Redis that was emptied gets another."""
        return f"{self.prefix}name"
