"""Secrets by file: `NAME_FILE` names a file that holds the value of `NAME`, as Docker and Kubernetes mount secrets.

The value then stands in no environment, where `docker inspect` and every child would show it.
"""

from collections.abc import Mapping
from pathlib import Path

from longshore.errors import ConfigError

BY_FILE = frozenset(
    {
        "KAFKA_CONSUMER_SSL_KEY_PASSWORD",
        "PORT_CLIENT_ID",
        "PORT_CLIENT_SECRET",
        "PORT_CLIENT_SECRET_PREVIOUS",
        "REDIS_URL",
        "REDIS_PASSWORD",
        "REDIS_SENTINEL_PASSWORD",
        "STANDARD_WEBHOOKS_SECRET",
        "STANDARD_WEBHOOKS_SECRET_PREVIOUS",
        "NOTIFY_URLS",
    }
)
"""Settings that may come by file."""

FLOWER_LOGIN = "FLOWER_BASIC_AUTH"
FLOWER_SECRETS = (FLOWER_LOGIN, "FLOWER_OAUTH2_SECRET", "FLOWER_COOKIE_SECRET")
"""The options of Flower's own that may come by file too."""

FILE_NAMES = frozenset(f"{name}_FILE" for name in (*BY_FILE, *FLOWER_SECRETS))
"""The variables that name such files."""

MAX_BYTES = 65_536
"""A larger file is no secret but a mistake in the name."""


def read_secret_files(environ: Mapping[str, str]) -> tuple[dict[str, str], list[ConfigError]]:
    """`environ` with the secrets whose files it names, and what is wrong with the others. Changes nothing."""
    values, problems = dict(environ), []
    for name in sorted(BY_FILE):
        try:
            if (value := read_secret(environ, name)) is not None:
                values[name] = value
        except ConfigError as error:
            problems.append(error)
    return values, problems


def read_secret(environ: Mapping[str, str], name: str) -> str | None:
    """What the file that `name`_FILE names holds; None where there is no such variable.

    It goes without what editors add: a byte order mark, newlines at its end.

    Raises `ConfigError` where the file cannot be read or is empty, and where `name` is set as well. Empty counts as not
    set.
    """
    variable = f"{name}_FILE"
    path = environ.get(variable)
    if not path:
        return None
    if environ.get(name):
        raise ConfigError(variable, f"is set, and so is {name}", "Give one of them")
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(variable, f'"{path}" cannot be read ({reason})', f"Name the file with {name}") from None
    if not text or len(content) > MAX_BYTES:
        problem = f'"{path}" is {"too large for a secret" if text else "empty"}'
        raise ConfigError(variable, problem, f"Name the file with {name}")
    return text
