"""How many claims the workers of a fleet hold, as Celery's own `inspect` counts them."""

from __future__ import annotations

from collections.abc import Mapping

import redis
from kombu.exceptions import OperationalError

from config.settings import load
from tasks.celery.app import make_app

PATIENCE_S = 5.0


def held_claims(environ: Mapping[str, str], workers: int) -> dict[str, list[str]] | None:
    """The ids that each of so many workers has received or started; None if one of them gave no answer."""
    app = make_app(load(environ))
    try:
        inspect = app.control.inspect(timeout=PATIENCE_S, limit=workers)
        reserved, active = inspect.reserved() or {}, inspect.active() or {}
    except (redis.RedisError, OSError, OperationalError):
        return None
    finally:
        app.close()
    if len(reserved) < workers or len(active) < workers:
        return None
    return {name: [request["id"] for request in [*requests, *active[name]]] for name, requests in reserved.items()}
