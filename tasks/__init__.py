"""Celery in, one attempt out. Celery's words stay in this package; the promise stays in the ledger."""
