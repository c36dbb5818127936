"""What operators do with an agent: one function each, called by commands, Flower, its API and Celery's task."""
