"""Where Redis is, and how to log in there: what `REDIS_URL` and the settings beside it say, read in one place.

`redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS, `unix://[user[:password]@]/path[?db=N]`, or
`sentinel://...` for each sentinel, joined by semicolons, with the user, the password and the number of the database of
the Redis behind them. User, password and path are percent-decoded. Options of TLS follow a `?`, see `Tls`.
"""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from longshore.errors import LongshoreError
from longshore.network.tls import Tls

SCHEMES = ("redis", "rediss", "unix", "sentinel")
PORT, SENTINEL_PORT = 6379, 26379

_UNKNOWN_OPTION = "has an option after ? that is not known, or a character that must be written as %XX"
_ENCODE = "A password is percent-encoded in an address: @ is %40, / %2F, : %3A, ? %3F, # %23, % %25, ; %3B"
_OPTIONS = "Options are ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs, ssl_check_hostname and db"
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class BadAddress(LongshoreError):
    """An address makes no sense. Says why and what to do, and shows no part of it: any may be of a password."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a server, and whether it is spoken to over TLS (None: in clear)."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """One Redis."""

    kind: Literal["tcp", "unix", "sentinel"]
    nodes: tuple[tuple[str, int], ...] = ()
    """Host and port of the server, or of each sentinel."""
    path: str = ""
    """Of a unix socket."""
    db: int = 0
    redis: Login = Login()
    sentinel: Login = Login()
    """The login for the sentinels, which is not that for the Redis behind them."""
    primary: str = ""
    """The name by which the sentinels know it."""

    def __str__(self) -> str:
        """A `redis://` URL without user and password, to be shown."""
        host, port = self.nodes[0] if self.nodes else ("localhost", PORT)
        return f"redis://{f'[{host}]' if ':' in host else host}:{port}/{self.db}"

    def __json__(self) -> str:
        """The same, where Celery tells its options to Flower."""
        return str(self)


def parse(
    url: str,
    primary: str = "mymaster",
    *,
    password: str = "",
    tls: bool = False,
    sentinel_username: str = "",
    sentinel_password: str = "",
    sentinel_tls: bool = False,
) -> Address:
    """The address that `url` and the settings beside it make; `password` holds where `url` has none.

    Raises BadAddress.
    """
    addresses = [each.strip() for each in url.split(";") if each.strip()] if url.startswith("sentinel://") else [url]
    parts = [_split(each) for each in addresses]
    kinds = {part.scheme for part in parts}
    if len(kinds) > 1 or not kinds <= set(SCHEMES):
        raise BadAddress(
            f"is not an address of one of the kinds {', '.join(f'{scheme}://' for scheme in SCHEMES)}",
            "Give one, e.g. redis://localhost:6379/0; sentinels are joined by semicolons. " + _ENCODE,
        )
    (scheme,) = kinds
    options = {name: value for part in parts for name, value in _options(part)}
    login_part = next((part for part in parts if part.username or part.password), parts[0])
    user, secret = unquote(login_part.username or "") or None, unquote(login_part.password or "") or password or None
    if scheme == "unix":
        if not parts[0].path.strip("/") or parts[0].hostname:
            raise BadAddress("is not the path of a unix socket", "Give one, e.g. unix:///run/redis/redis.sock?db=0")
        return Address("unix", path=unquote(parts[0].path), db=_db(options.get("db", "")), redis=Login(user, secret))
    if scheme == "redis" and _TLS_OPTIONS & set(options):
        raise BadAddress("has options of TLS, but is spoken to in clear", "Give rediss://")
    over_tls = _tls(options)
    login = Login(user, secret, over_tls if tls or scheme == "rediss" else None)
    numbers = [_db(text) for part in parts if (text := part.path.strip("/"))]
    db = numbers[-1] if numbers else _db(options.get("db", ""))
    if scheme != "sentinel":
        return Address("tcp", (_node(parts[0], PORT),), db=db, redis=login)
    theirs = Login(sentinel_username or None, sentinel_password or None, over_tls if sentinel_tls else None)
    nodes = tuple(_node(part, SENTINEL_PORT) for part in parts)
    return Address("sentinel", nodes, db=db, redis=login, sentinel=theirs, primary=primary)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadAddress("is an address whose host or port makes no sense", _ENCODE) from None
    if parts.fragment or "#" in url or not url[len(parts.scheme) :].startswith("://"):
        raise BadAddress("is not an address: something stands where none may", _ENCODE)
    if parts.port == 0:
        raise BadAddress("has port 0", f"Give the port Redis listens at, usually {PORT}. {_ENCODE}")
    return parts


def _node(parts: SplitResult, port: int) -> tuple[str, int]:
    return parts.hostname or "localhost", parts.port or port


def _db(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise BadAddress("has no number of a database after its host", f"Give one, e.g. .../0. {_ENCODE}")
    return int(text)


def _options(parts: SplitResult) -> list[tuple[str, str]]:
    options = parse_qsl(parts.query, keep_blank_values=True)
    if not {name for name, _ in options} <= {*_TLS_OPTIONS, "db"}:
        raise BadAddress(_UNKNOWN_OPTION, f"{_OPTIONS}. {_ENCODE}")
    return options


_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})


def _tls(options: dict[str, str]) -> Tls:
    checks = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    names = _YES_NO.get(options.get("ssl_check_hostname", "true").lower())
    if checks not in ("required", "none") or names is None:
        raise BadAddress(
            "has an option of TLS with a value that is not known",
            "ssl_cert_reqs is required or none, ssl_check_hostname is true or false",
        )
    return Tls(
        verify=False if checks == "none" else options.get("ssl_ca_certs") or None,
        certificate=options.get("ssl_certfile", ""),
        key=options.get("ssl_keyfile", ""),
        check_hostname=names,
    )
