"""Invocations in: Kafka, then the ledger, then the commit. That order is this package's whole point."""
