"""Kafka as a source: its consumer, where to begin, and what may be committed. Kafka's words stay here."""
