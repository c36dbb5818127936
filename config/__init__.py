"""From environment and files to frozen settings, Celery's options and logging. The only place that reads variables."""
