"""`longshore flower`: Flower over our Celery app, with our tabs."""

import atexit
import os
import signal

from flower import command
from flower.urls import settings as flower_settings
from tornado.ioloop import PeriodicCallback
from tornado.options import options

from config.environment import read_environment
from config.flower_login import CLIENT, CONFIG_FILE, OAUTH, find_access_problems, find_oidc_problems, read_login_secrets
from config.settings import Settings
from longshore.dashboard.app import Dashboard
from longshore.dashboard.context import DashboardContext
from longshore.errors import ConfigError, ConfigProblems
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry import health
from tasks.celery.app import make_app

log = EventLog(__name__)


def run(settings: Settings) -> int:
    """Run Flower in the foreground until SIGTERM; returns the exit code.

    Flower's own options still come from its own variables, e.g. `FLOWER_BASIC_AUTH`. Raises `ConfigProblems` where
    anybody could enter without a login. `cli.start` has checked Redis already.
    """
    context = DashboardContext.open(settings)
    _read_options(settings)
    _check_access(settings)
    log.event(events.FLOWER_STARTED, url=_format_url())
    app = Dashboard(context, capp=make_app(settings), options=options, **flower_settings)
    atexit.register(app.stop)
    # By the loop: Flower's own handler raises SystemExit wherever the program is, and what is there may swallow it.
    app.io_loop.asyncio_loop.add_signal_handler(signal.SIGTERM, app.stop)
    app.start_http_server()
    _watch_loop(app, settings.liveness_s)
    try:
        app.start()
    except (KeyboardInterrupt, SystemExit):
        pass
    return 0


def _watch_loop(app: Dashboard, liveness_s: float) -> None:
    """Flower's own loop is what must not stand still."""
    heartbeat = health.LoopHeartbeat("Flower's loop", liveness_s)
    health.PROCESS_HEALTH.alive_if("flower", heartbeat.check)
    callback = PeriodicCallback(heartbeat.beat, 1000)
    app.io_loop.add_callback(callback.start)


def _read_options(settings: Settings) -> None:
    """Flower's options: environment, the file that FLOWER_CONF names, then address and port of our settings.

    Flower by itself would also run the Python of a `flowerconfig.py` in the working directory, whoever put it there.
    """
    environ = read_login_secrets(read_environment())
    # It reads its options there alone.
    os.environ.update({name: value for name, value in environ.items() if name.startswith(command.ENV_VAR_PREFIX)})
    command.apply_env_options()
    if path := environ.get(CONFIG_FILE):
        try:
            options.parse_config_file(os.path.abspath(path), final=False)
        except OSError as error:
            problem = f'"{path}" cannot be read ({error.strerror})'
            raise ConfigError(CONFIG_FILE, problem, "Name a file with options of Flower") from None
    # Tornado would set up logging once more.
    arguments = [f"--address={settings.flower_address}", f"--port={settings.flower_port}", "--logging=none"]
    options.parse_command_line(["flower", *arguments])
    if settings.flower_oidc_issuer:
        options.auth_provider = "longshore.dashboard.oidc_login.OidcLoginHandler"
    command.extract_settings()
    command.setup_logging()


def _check_access(settings: Settings) -> None:
    """The file of options may have brought other logins than the environment."""
    problems = list(
        find_access_problems(
            logins=options.basic_auth or None,
            oauth=options.auth or None,
            address=options.address,
            open_to_all=settings.flower_insecure,
            unix_socket=options.unix_socket,
        )
    )
    if settings.flower_oidc_issuer:
        client = (options.oauth2_key, options.oauth2_secret, options.oauth2_redirect_uri)
        problems.extend(find_oidc_problems(dict(zip((OAUTH, *CLIENT), (options.auth, *client), strict=True))))
    if problems:
        raise ConfigProblems(problems)


def _format_url() -> str:
    if options.unix_socket:
        return f"unix:{options.unix_socket}"
    address = options.address.strip("[]") or "0.0.0.0"
    return f"http://{f'[{address}]' if ':' in address else address}:{options.port}"
