"""Port's polling API as a source of invocations, where Kafka cannot be reached: claim, store, acknowledge, deliver."""
