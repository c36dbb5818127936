"""What an invocation is: recognised, verified, decrypted and mapped to a request.

Knows no Celery, no Kafka and no environment.
"""
