"""The sandbox: an embedded Kafka, a fake Port API and sample targets, to watch Longshore work on one machine."""
