"""`longshore flower`: Flower over our Celery app, with our tabs."""

import atexit
import os
import signal

import structlog
from flower import command
from flower.urls import settings as flower_settings
from tornado.ioloop import PeriodicCallback
from tornado.options import options

from config.secret_files import FLOWER_LOGIN, secret
from config.settings import Settings
from longshore.dashboard.access import require_login
from longshore.dashboard.agent import Agent
from longshore.dashboard.app import Dashboard
from longshore.errors import StoreUnavailable
from longshore.store.fitness import check_fitness
from longshore.telemetry import health
from tasks.app import make_app

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Run Flower in the foreground until SIGTERM; returns the exit code.

    Flower's own options still come from its own variables, e.g. `FLOWER_BASIC_AUTH`. Raises `ConfigError` where it
    could be reached from elsewhere without a login, and for a Redis that must not hold the ledger.
    """
    agent = Agent.of(settings)
    _look_at_redis(agent)
    _read_options(settings)
    require_login(options, settings.flower_insecure)
    log.info("flower.starting", url=f"http://{settings.flower_address or '0.0.0.0'}:{settings.flower_port}")
    app = Dashboard(agent, capp=make_app(settings), options=options, **flower_settings)
    atexit.register(app.stop)
    # By the loop: Flower's own handler raises SystemExit wherever the program is, and what is there may swallow it.
    app.io_loop.asyncio_loop.add_signal_handler(signal.SIGTERM, app.stop)
    app.start_http_server()
    _show_turns(app, settings.liveness_s)
    try:
        app.start()
    except (KeyboardInterrupt, SystemExit):
        pass
    return 0


def _show_turns(app: Dashboard, liveness_s: float) -> None:
    """Flower's own loop is what must not stand still."""
    pulse = health.Pulse("Flower's loop", liveness_s)
    health.OURS.alive_if("flower", pulse.check)
    turns = PeriodicCallback(pulse.turn, 1000)
    app.io_loop.add_callback(turns.start)


def _read_options(settings: Settings) -> None:
    """Flower's options, in its own order: environment, configuration file, then address and port of our settings."""
    listen = [f"--address={settings.flower_address}", f"--port={settings.flower_port}"]
    if (login := secret(os.environ, FLOWER_LOGIN)) is not None:
        os.environ[FLOWER_LOGIN] = login  # it reads its options there alone
    command.apply_env_options()
    # Tornado would set up logging once more.
    command.apply_options("flower", [*listen, "--logging=none"])
    command.extract_settings()
    command.setup_logging()


def _look_at_redis(agent: Agent) -> None:
    """Not fit is a reason not to start; away is not: the pages say so, and come back with it."""
    try:
        check_fitness(agent.ledger.redis)
    except StoreUnavailable as error:
        log.warning("redis.away", error=str(error))
