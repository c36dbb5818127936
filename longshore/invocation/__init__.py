"""What an invocation is: recognised, verified, decrypted and mapped to a request. Knows no Celery, Kafka or environment."""
