"""What Celery sees of us: the app with its options and tasks, messages, and the transport. Its words stay here."""
