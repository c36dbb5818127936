"""The TLS options that TARGETS_FILE and the mapping have for targets: whether the files that they name can be used."""

from collections.abc import Iterable, Iterator, Sequence

from config.tls_files import REMEDY, find_defects
from longshore.delivery.target_options import TargetTable
from longshore.errors import ConfigError
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.tls_section import TlsOptions
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

Place = tuple[str, TlsOptions]
"""In words where options stand, and the options."""


def find_places(targets: TargetTable) -> Iterator[Place]:
    """All options in TARGETS_FILE."""
    return ((repr(name), options.tls) for name, options in targets if options.tls is not None)


def find_mapping_places(deliveries: Sequence[DeliveryOptions]) -> Iterator[Place]:
    """All options in the mapping."""
    return (
        (f"mapping {index}, delivery", options.tls)
        for index, options in enumerate(deliveries)
        if options.tls is not None
    )


def log_unverified(places: Iterable[Place]) -> None:
    """Warn of options by which the certificates of targets are not checked."""
    for place, options in places:
        if options.verify is False:
            log.event(events.TLS_VERIFICATION_DISABLED, place=place)


def find_problems(variable: str, places: Iterator[Place]) -> Iterator[ConfigError]:
    """What is wrong with the files of options in the file that `variable` names."""
    for place, options in places:
        for defect in find_defects(options):
            yield ConfigError(variable, f"{place}, tls: {defect}", REMEDY)
