"""One real Kafka broker for the whole bench, started when the first row needs it; each agent has topics of its own."""

from pathlib import Path

from tests.support.kafka_broker import KafkaBroker, missing_programs

PARTITIONS = {"runs": 8, "change.log": 4}


class Broker:
    """The broker; `folder` is where its data go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._broker: KafkaBroker | None = None

    def create_topics(self, organization: str) -> str:
        """The topics of an organization; returns the broker's address. Ends the bench where Java is missing."""
        if missing := missing_programs():
            raise SystemExit(f"the bench needs a real Kafka; install {' and '.join(missing)} (Java 17, Maven)")
        if self._broker is None:
            self._broker = KafkaBroker(self._folder).start()
        for name, partitions in PARTITIONS.items():
            self._broker.create_topic(f"{organization}.{name}", partitions)
        return self._broker.bootstrap

    def stop(self) -> None:
        """Ends the broker, if it was started."""
        if self._broker is not None:
            self._broker.stop()
