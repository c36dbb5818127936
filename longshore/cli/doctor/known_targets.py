"""Which targets are known: from the command line, from the mapping file and from the ledger."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from longshore.cli.doctor.finding import CheckContext
from longshore.delivery.send_errors import BadUrl
from longshore.delivery.target import target_of
from longshore.errors import StoreUnavailable
from longshore.ledger.kafka_addresses import KafkaAddresses
from longshore.operations.ledger_access import open_ledger

_ORIGIN = re.compile(r'(?i)https?://[^\s"\\/?#]+(?=[/?#"]|$)')
"""A whole origin in an expression: not one that goes on with `\\(...)` or with what is added to it."""


@dataclass(frozen=True, slots=True)
class KnownTargets:
    """Origins, those of the command line first; and why the ledger could not be asked, if so."""

    urls: tuple[str, ...]
    unasked: str = ""


def known_targets(case: CheckContext) -> KnownTargets:
    """All targets that are known now."""
    urls = [*case.urls, *literal_urls(case.settings)]
    unasked = ""
    if case.settings.redis_url:
        try:
            urls += ledger_targets(case.settings)
        except Exception as error:  # what is wrong with Redis, its own check says
            unasked = f"Redis cannot be asked ({type(error).__name__})"
    return KnownTargets(tuple(dict.fromkeys(urls)), unasked)


def literal_urls(settings: Settings) -> list[str]:
    """Origins that stand in the mapping file as they are; none if it cannot be read."""
    path = settings.mapping_path
    if path is None:
        return []
    try:
        entries: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    targets = []
    for entry in entries if isinstance(entries, list) else ():
        text = entry.get("url") if isinstance(entry, dict) else None
        for origin in _ORIGIN.findall(text) if isinstance(text, str) else ():
            try:
                targets.append(target_of(origin))
            except BadUrl:
                continue
    return targets


def ledger_targets(settings: Settings) -> list[str]:
    """Targets of the ledger that something waits for, is in flight to, or is said of. Raises StoreUnavailable."""
    access = open_ledger(settings, 2)
    with access.ledger:
        return list(_origins([*access.targets.names(), *access.targets.controlled_names()]))


def known_brokers(settings: Settings) -> tuple[str, ...]:
    """The brokers that ingest has been told by Port; none if the ledger cannot be asked."""
    if not settings.redis_url:
        return ()
    try:
        with open_ledger(settings, 2).ledger as ledger:
            return KafkaAddresses(ledger).read()
    except (StoreUnavailable, UnicodeDecodeError):
        return ()


def _origins(names: list[str]) -> Iterator[str]:
    """Of names of targets and lanes, the origins; a mapping may give targets names of its own."""
    for name in names:
        target = name.partition(" ")[0]
        if target.startswith(("http://", "https://")):
            yield target
