"""The sandbox: embedded Kafka and Redis, a fake Port API and sample targets, to watch Longshore work on one machine."""
