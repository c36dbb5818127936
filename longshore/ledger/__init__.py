"""The ledger: one Redis record per invocation, and the scripts that move it. Knows no Celery, Kafka or environment."""
