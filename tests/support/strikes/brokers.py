"""The Kafka broker that dies and comes back."""

from __future__ import annotations

import time

from tests.support.scene import STRIKE_S, Scene
from tests.support.strikes.strike import Strike


def kill_broker(scene: Scene) -> None:
    """With what it has on disk."""
    scene.kafka.kill()
    time.sleep(STRIKE_S / 2)  # nothing can be published meanwhile
    scene.kafka.start()


BROKERS = (
    Strike("Kafka: broker killed", "what was read is delivered, the rest is read later", kill_broker, of_kafka=True),
)
