"""All checks, by area, in the order in which they are told."""

from longshore.cli.doctor import (
    certificates,
    credentials,
    kafka,
    mapping,
    notifications,
    polling,
    port,
    proxies,
    settings,
    store,
    targets,
)
from longshore.cli.doctor.finding import AREAS, Check

_ALL: tuple[Check, ...] = (
    settings.check,
    store.check,
    kafka.check,
    polling.check,
    port.check,
    certificates.check,
    proxies.check,
    mapping.check,
    targets.check,
    credentials.check,
    notifications.check,
)

CHECKS: dict[str, Check] = dict(zip(AREAS, _ALL, strict=True))
