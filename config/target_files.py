"""Files that TARGETS_FILE and the mapping name for targets: whether those who call targets can use them."""

from collections.abc import Iterator, Sequence

from config import target_tls
from longshore.delivery.target_options import TargetTable, find_credentials
from longshore.errors import ConfigError, ConfigProblems
from longshore.invocation.credentials_section import CredentialOptions
from longshore.invocation.delivery_options import DeliveryOptions

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
