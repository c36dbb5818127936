"""`longshore flower`: Flower over our Celery app."""

import structlog

from config.settings import Settings
from tasks.app import make_app

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Run Flower in the foreground until SIGTERM; returns the exit code.

    Flower's own options still come from its own variables, e.g. `FLOWER_BASIC_AUTH`.
    """
    log.info("flower.starting", url=f"http://{settings.flower_address or '0.0.0.0'}:{settings.flower_port}")
    listen = [f"--address={settings.flower_address}", f"--port={settings.flower_port}"]
    # Tornado would set up logging once more; and Flower's banner only repeats the line above.
    make_app(settings).start(["--quiet", "flower", *listen, "--logging=none"])
    return 0
