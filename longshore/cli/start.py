"""The start of every program: settings, logging, trusted CAs, advice on the environment, a usable Redis."""

import atexit
import os

from config import logging
from config.environment import find_advice, read_environment, rewrite_no_proxy
from config.roles import Role
from config.settings import Settings, load
from longshore.cli.version import version
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.runtime import ca_trust
from longshore.runtime.redis_address_file import settings_beside_an_agent

log = EventLog(__name__)


def start_command() -> Settings:
    """The start of an operator command: the settings of a worker, or of the agent in this container if there is one.

    Where Redis is spoken to over TLS, the bundle of trusted CAs goes to a file that is removed at exit.
    Raises `ConfigProblems`.
    """
    rewrite_no_proxy(os.environ)
    settings = settings_beside_an_agent()
    logging.configure("ERROR", settings.secrets_to_mask)
    # A command asks nobody but Redis.
    if settings.redis.redis.tls or settings.redis.sentinel.tls:
        bundle = ca_trust.temporary_bundle(settings, os.environ)
        bundle.__enter__()
        atexit.register(bundle.__exit__, None, None, None)
    return settings


def start_program(role: Role, supervised_as: str = "", metrics_socket: str = "") -> Settings:
    """Load the settings for `role`, set logging up, assemble the trusted certificates, and wait for a usable Redis.

    Raises `ConfigProblems`, and `ConfigError` for a Redis that must not hold the ledger.

    `supervised_as` is the name a supervisor gave this program. It stands in each log line, and what the supervisor has
    logged already is not logged again. The supervisor reads metrics and health at the local socket `metrics_socket`.
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
    # `run` does not wait: it may start the Redis, and its children wait. Flower starts without Redis, and shows that.
    if role is not Role.RUN:
        # Here, as `run` and commands need neither metrics nor, some of them, Redis's client.
        from longshore.cli import telemetry
        from longshore.runtime.redis_startup import wait_for_usable_redis

        if metrics_socket or not supervised_as:
            telemetry.serve(settings, role, metrics_socket)
        warn = role is Role.INGEST or not supervised_as
        wait_for_usable_redis(settings, say_warnings=warn, wait=role is not Role.FLOWER)
        if settings.notify_urls:
            from longshore.cli import notifications

            notifications.start(settings, role)
    return settings
