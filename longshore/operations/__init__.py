"""What people do with an agent, each once, for the commands, Flower, its API and Celery's task alike."""
