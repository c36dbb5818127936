"""Longshore: an execution agent for Port that loses nothing and scales out on Celery."""
