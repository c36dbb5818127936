"""What every program does first: settings, logging, whom to trust, and advice on the environment."""

import atexit
import os

from config import logging
from config.environment import find_advice, read_environment, rewrite_no_proxy
from config.roles import Role
from config.settings import Settings, load
from longshore.cli import telemetry
from longshore.cli.version import version
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.runtime import ca_trust
from longshore.runtime.redis_address_file import settings_beside_an_agent
from longshore.runtime.redis_startup import wait_for_usable_redis

log = EventLog(__name__)


def begin_command() -> Settings:
    """The same for a command of people on call: the settings of a worker, of the agent beside us if there is one.

    What is trusted goes to a file of its own that ends with the process. Raises `ConfigProblems`.
    """
    rewrite_no_proxy(os.environ)
    settings = settings_beside_an_agent()
    logging.configure("ERROR", settings.secrets_to_mask)
    bundle = ca_trust.temporary_bundle(settings, os.environ)
    bundle.__enter__()
    atexit.register(bundle.__exit__, None, None, None)
    return settings


def begin(role: Role, supervised_as: str = "", metrics_socket: str = "") -> Settings:
    """Load the settings for `role`, set logging up, assemble the trusted certificates, and wait for a fit Redis.

    Raises `ConfigProblems`, and `ConfigError` for a Redis that must not hold the ledger.

    `supervised_as` is the name a supervisor gave this program. It stands in each log line, and what the supervisor has
    said already is not said again. It gathers metrics and health at the local socket `metrics_socket`.
    """
    rewrite_no_proxy(os.environ)
    settings = load(role=role)
    logging.configure(settings.log_level, settings.secrets_to_mask, program=supervised_as)
    if not supervised_as:
        log.event(events.LONGSHORE_STARTED, role=role.value, version=version(), namespace=settings.namespace)
        for text in find_advice(read_environment(), {name.upper() for name in Settings.model_fields}):
            log.event(events.CONFIG_ADVICE_GIVEN, text=text)
        # Once per process tree: children get the exported variables.
        watch = ca_trust.BundleWatch(settings)
        ca_trust.install(settings, os.environ)
        watch.start()
    # The children of `run` ask, as it may bring the Redis itself; Flower does not wait, but shows that it is away.
    if role is not Role.RUN:
        if metrics_socket or not supervised_as:
            telemetry.begin(settings, role, metrics_socket)
        warn = role is Role.INGEST or not supervised_as
        wait_for_usable_redis(settings, say_warnings=warn, wait=role is not Role.FLOWER)
    return settings
