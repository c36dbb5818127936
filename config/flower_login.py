"""Who may enter Flower: its logins and address, refused where they would let in somebody who has none."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from config.boolean_text import parse_boolean
from config.secret_files import FLOWER_LOGIN, FLOWER_SECRETS, read_secret
from longshore.errors import ConfigError

OAUTH = "FLOWER_AUTH"
CONFIG_FILE = "FLOWER_CONF"
"""Options of Flower's own: the addresses that may log in with a provider, and a file with more options."""
CLIENT = ("FLOWER_OAUTH2_KEY", "FLOWER_OAUTH2_SECRET", "FLOWER_OAUTH2_REDIRECT_URI")
"""And those with which Flower is a client of a provider."""

_REMEDY = "Give name:password, several divided by commas; a password has no comma, and neither part is empty"


def find_problems(texts: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[ConfigError]:
    """What is wrong as far as variables show. `texts` are the settings as texts by field name."""
    try:
        environ = read_login_secrets(environ)
    except ConfigError as error:
        yield error
        return
    file = f"{FLOWER_LOGIN}_FILE"
    if environ.get(file) == "":
        yield ConfigError(file, "is empty", "Name a file with the login, or take the variable out")
        return
    login = environ.get(FLOWER_LOGIN)
    if texts.get("flower_oidc_issuer") and CONFIG_FILE not in environ:
        yield from find_oidc_problems({name: environ.get(name, "") for name in (OAUTH, *CLIENT)})
    yield from find_access_problems(
        logins=None if login is None else login.split(","),
        oauth=environ.get(OAUTH),
        address=texts.get("flower_address", "127.0.0.1"),
        # A file with options may bring a login; Flower looks again when it has read it.
        open_to_all=CONFIG_FILE in environ or parse_boolean(texts.get("flower_insecure", "")) is True,
        unix_socket=environ.get("FLOWER_UNIX_SOCKET", ""),
    )


def read_login_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with the secrets of Flower's own options whose files it names. Raises `ConfigError`."""
    values = dict(environ)
    for name in FLOWER_SECRETS:
        if (value := read_secret(environ, name)) is not None:
            values[name] = value
    return values


def find_oidc_problems(options: Mapping[str, str | None]) -> Iterator[ConfigError]:
    """What FLOWER_OIDC_ISSUER needs of Flower's own `options`, by variable, and is missing."""
    remedies = {
        OAUTH: "Give the e-mail addresses that may log in, e.g. .*@acme.io, or ann@acme.io|bob@acme.io",
        "FLOWER_OAUTH2_KEY": "Give the client id that the provider knows Flower by",
        "FLOWER_OAUTH2_SECRET": "Give that client's secret, or name its file with FLOWER_OAUTH2_SECRET_FILE",
        "FLOWER_OAUTH2_REDIRECT_URI": "Give Flower's address as browsers see it and /login, e.g. https://flower.acme.io/login",
    }
    for name, remedy in remedies.items():
        if not options.get(name):
            yield ConfigError(name, "is missing although FLOWER_OIDC_ISSUER is set", remedy)


def find_access_problems(
    *, logins: Sequence[str] | None, oauth: str | None, address: str, open_to_all: bool, unix_socket: str = ""
) -> Iterator[ConfigError]:
    """What is wrong with the logins in effect, and an address that others reach without one. None is not set."""
    if logins is not None and (problem := _find_login_problem(logins)):
        yield ConfigError(FLOWER_LOGIN, problem, _REMEDY)
    if oauth is not None and not all(part.strip() for part in oauth.split("|")):
        yield ConfigError(
            OAUTH,
            "has an empty part" if oauth.strip() else "is empty",
            "Give the addresses that may log in, divided by |, or take the variable out",
        )
    if logins is oauth is None and not (open_to_all or unix_socket or is_loopback(address)):
        yield ConfigError(
            "FLOWER_ADDRESS",
            f'"{address}" can be reached from other machines, and nobody would have to log in',
            "Set FLOWER_BASIC_AUTH=name:password, or FLOWER_AUTH with a provider; FLOWER_INSECURE=true where something "
            "in front of Flower asks for a login",
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches `address`; an empty one is every address there is."""
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _find_login_problem(logins: Sequence[str]) -> str:
    """What is wrong with a list of `name:password`, empty if nothing is; never quotes one."""
    if not any(login.strip() for login in logins):
        return "is empty"
    for login in logins:
        name, _, password = login.partition(":")
        if not name.strip() or not password.strip():
            return "has an entry without a name or without a password"
        if any(part != part.strip() for part in (name, password)):
            return "has an entry with white space around its name or its password"
        if not all(character == " " or character.isprintable() or character > "\x9f" for character in login):
            return "has an entry with a line break or another control character"
    return ""
