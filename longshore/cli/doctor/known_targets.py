"""Which targets are known: from the command line, the mapping file and the ledger; what TARGETS_FILE says of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from config.host_table_files import read_targets
from config.settings import Settings
from longshore.cli.doctor.finding import CheckContext
from longshore.delivery.send_errors import BadUrl
from longshore.delivery.target import target_of
from longshore.delivery.target_options import TargetTable
from longshore.errors import ConfigError, StoreUnavailable
from longshore.invocation.mapping import schema
from longshore.invocation.mapping.schema import MappingEntry
from longshore.invocation.tls_section import TlsOptions
from longshore.ledger.kafka_addresses import KafkaAddresses
from longshore.operations.ledger_access import open_ledger

_ORIGIN = re.compile(r'(?i)https?://[^\s"\\/?#]+(?=[/?#"]|$)')
"""A whole origin in an expression: not one that goes on with `\\(...)` or with what is added to it."""


@dataclass(frozen=True, slots=True)
class KnownTargets:
    """Origins, those of the command line first; and why the ledger could not be asked, if so."""

    urls: tuple[str, ...]
    unasked: str = ""


def known_targets(context: CheckContext) -> KnownTargets:
    """All targets that are known now."""
    urls = [*context.urls, *literal_urls(context.settings)]
    unasked = ""
    if context.settings.redis_url:
        try:
            urls += ledger_targets(context.settings)
        except Exception as error:  # what is wrong with Redis, its own check says
            unasked = f"Redis cannot be asked ({type(error).__name__})"
    return KnownTargets(tuple(dict.fromkeys(urls)), unasked)


def mapping_entries(settings: Settings) -> tuple[MappingEntry, ...]:
    """What stands in the mapping file, as far as it can be read."""
    try:
        return schema.read(settings.mapping_path.read_bytes(), schema.Findings()) if settings.mapping_path else ()
    except OSError:
        return ()


def read_table(settings: Settings) -> TargetTable:
    """What TARGETS_FILE says; nothing where it is wrong, as what is said of the settings says why."""
    try:
        return read_targets(settings.targets_file)
    except ConfigError:
        return TargetTable()


def literal_urls(settings: Settings) -> dict[str, TlsOptions | None]:
    """Origins that stand in the mapping file as they are, and the TLS options of the first entry that has them."""
    targets: dict[str, TlsOptions | None] = {}
    for entry in mapping_entries(settings):
        for origin in _ORIGIN.findall(entry.url or ""):
            try:
                targets.setdefault(target_of(origin), entry.delivery.tls)
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
