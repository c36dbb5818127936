"""Invocations of every kind, published to a real Kafka as Port publishes them, and how each should end.

Which kind calls which target is drawn from a seed, so that a failing run can be had again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from longshore.invocation.kinds import Kind
from longshore.sandbox.publisher import action_run, as_text, change_log_event, node_run, text_of, topics

FLUSH_S = 30.0

WELL_BEHAVED: Mapping[str, int] = {"good": 60, "slow": 40}
"""Weights of targets that take whatever arrives."""

MIXED: Mapping[str, int] = {
    "good": 42, "slow": 36, "flaky": 9, "throttling": 2, "not_found": 4, "gateway": 3, "dead": 3, "hanging": 1,
}  # fmt: skip
"""Weights of targets of every sort."""

KINDS: Sequence[tuple[Kind, bool, int]] = (
    (Kind.ACTION_RUN, False, 40),
    (Kind.ACTION_RUN, True, 25),
    (Kind.NODE_RUN, True, 15),
    (Kind.CHANGE_LOG, False, 20),
)
"""Kind, synchronized, weight."""

UNANSWERED = frozenset({"gateway", "hanging"})
"""Targets that are only for runs: a change log event would be sent to them again and again, which takes long."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One published invocation; `id` is the ledger's, `run` Port's (empty for change log events)."""

    id: str
    run: str
    kind: Kind
    target: str
    synchronized: bool
    at: float
    """Monotonic seconds."""
    value: bytes = field(repr=False)


class Load:
    """Publishes for `organization`; `urls` are the targets' addresses by name."""

    kinds = KINDS

    def __init__(self, bootstrap: str, organization: str, secret: str, urls: Mapping[str, str], seed: int) -> None:
        self.runs_topic, self.change_log_topic = topics(organization)
        self.sent: list[Sent] = []
        self.targets: Mapping[str, int] = MIXED
        """Weights of what was published last."""
        self._secret = secret
        self._urls = urls
        self._random = random.Random(seed)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self._number = 0

    def publish(self, count: int, targets: Mapping[str, int] = MIXED) -> list[Sent]:
        """Publish `count` more, drawn from `targets` by weight; returns when the broker has them."""
        self.targets = targets
        records: list[Sent] = []
        names, weights = list(targets), list(targets.values())
        for _ in range(count):
            target = self._random.choices(names, weights)[0]
            kinds = [each for each in self.kinds if target not in UNANSWERED or each[0] is not Kind.CHANGE_LOG]
            kind, synchronized, _ = self._random.choices(kinds, [weight for *_, weight in kinds])[0]
            self._publish_one(kind, target, synchronized, records)
        self._flush()
        assert len(records) == count
        self.sent += records
        return records

    def publish_again(self, sent: Sequence[Sent]) -> None:
        """Publish copies of these runs, which stand at other offsets."""
        for each in sent:
            assert each.run, "a change log event has no id of its own: a copy of it is another event"
            self._producer.produce(self.runs_topic, each.value, each.run.encode())
        self._flush()

    def _publish_one(self, kind: Kind, target: str, synchronized: bool, records: list[Sent]) -> None:
        self._number += 1
        url, action, at = self._urls[target], f"call_{target}", time.monotonic()
        if kind is Kind.CHANGE_LOG:
            value = text_of(change_log_event(url, f"entity-{self._number}"))

            def stored(error: KafkaError | None, message: Message) -> None:
                assert error is None, error
                records.append(Sent(_event_id(message), "", kind, target, synchronized, at, value))

            self._producer.produce(self.change_log_topic, value, on_delivery=stored)
        else:
            run = f"{'wfnr' if kind is Kind.NODE_RUN else 'r'}_{self._number:06}"
            message: dict[str, Any] = (
                node_run(run, url, synchronized=synchronized)
                if kind is Kind.NODE_RUN
                else action_run(run, url, synchronized=synchronized, action=action)
            )
            value = as_text(message, self._secret)
            records.append(Sent(run, run, kind, target, synchronized, at, value))
            self._give_out(run, value)
        self._producer.poll(0)

    def _give_out(self, run: str, value: bytes) -> None:
        self._producer.produce(self.runs_topic, value, run.encode())

    def _flush(self) -> None:
        assert self._producer.flush(FLUSH_S) == 0, "the broker did not take everything"


def _event_id(message: Message) -> str:
    # Written out and not taken from the agent: an id that changed would no longer recognise repeats after an upgrade.
    return f"cl.{message.topic()}.{message.partition()}.{message.offset()}.{message.timestamp()[1]}"
