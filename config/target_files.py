"""What TARGETS_FILE and the mapping name for targets: whether those who call targets can use it, and if it is safe."""

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from config import target_tls
from longshore.delivery.addresses import is_local_name, parse_any_spelling
from longshore.delivery.target_options import TargetTable, find_credentials
from longshore.errors import ConfigError, ConfigProblems
from longshore.invocation.credentials_section import CredentialOptions, OAuth2Options
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

_MAPPING = "CONTROL_THE_PAYLOAD_CONFIG_PATH"


def check_mapping(deliveries: Sequence[DeliveryOptions]) -> None:
    """Raises ConfigProblems with all that cannot be used of what the mapping names."""
    problems = [
        *target_tls.find_problems(_MAPPING, target_tls.find_mapping_places(deliveries)),
        *_find_problems(_MAPPING, find_credentials(deliveries, TargetTable())),
    ]
    if problems:
        raise ConfigProblems(problems)


def find_problems(targets: TargetTable) -> Iterator[ConfigError]:
    """What cannot be used of what TARGETS_FILE names."""
    yield from target_tls.find_problems("TARGETS_FILE", target_tls.find_places(targets))
    yield from _find_problems("TARGETS_FILE", find_credentials((), targets))


def log_unsafe_in_mapping(deliveries: Sequence[DeliveryOptions]) -> None:
    """Warn of what the mapping names that can be used, and lets others listen or pose as a target."""
    target_tls.log_unverified(target_tls.find_mapping_places(deliveries))
    _log_exposed(find_credentials(deliveries, TargetTable()))


def log_unsafe(targets: TargetTable) -> None:
    """The same of what TARGETS_FILE names."""
    target_tls.log_unverified(target_tls.find_places(targets))
    _log_exposed(find_credentials((), targets))


def is_exposed(options: CredentialOptions) -> bool:
    """Whether the client's secret is sent to another machine in plain HTTP, where others can read it."""
    if not isinstance(options, OAuth2Options):
        return False
    url = urlsplit(options.token_url)
    host = url.hostname or ""
    address = parse_any_spelling(host)
    is_local = is_local_name(host) if address is None else address.is_loopback
    return url.scheme == "http" and not is_local


def _log_exposed(places: Iterable[tuple[str, CredentialOptions]]) -> None:
    for place, options in places:
        if is_exposed(options):
            log.event(events.CREDENTIAL_EXPOSED, place=place)


def _find_problems(variable: str, places: Iterator[tuple[str, CredentialOptions]]) -> Iterator[ConfigError]:
    for place, options in places:
        # Here, as most agents need it not.
        from longshore.delivery.issued_credential import NoToken
        from longshore.delivery.secret_file import check_files

        try:
            check_files(options)
        except NoToken as error:
            remedy = "Mount the secret there, readable for the agent's user; see docs/how-to/target-credentials.md"
            yield ConfigError(variable, f"{place}, credentials: {error.place}: {error.problem}", remedy)
