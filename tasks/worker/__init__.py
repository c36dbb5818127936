"""One worker process: attempts, and around them pump, heartbeat, outbox and drain."""
