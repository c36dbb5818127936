"""Reads a section `credentials`: what requests to a target are given, so that it takes them. Secrets are in files.

{"oauth2": {"token_url": "https://idp/token", "client_id": "longshore", "client_secret_file": "/secrets/client"}}
{"bearer_file": "/secrets/token"}
{"basic": {"username": "longshore", "password_file": "/secrets/password"}}
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longshore.invocation.section_values import InvalidValue, read_object, read_path, read_text, type_name
from longshore.invocation.urls import split_url

AUTHORIZATION = "Authorization"

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_A_CREDENTIAL = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})


@dataclass(frozen=True, slots=True)
class OAuth2Options:
    """An access token by the client credentials grant (RFC 6749, 4.4)."""

    token_url: str
    client_id: str
    client_secret_file: str
    scope: str = ""
    audience: str = ""
    auth: str = "basic"
    """Where the token server gets id and secret: `basic`, a header, or `body`."""
    params: tuple[tuple[str, str], ...] = ()
    """Further parameters of the token request."""

    @property
    def header(self) -> str:
        """The header that carries it."""
        return AUTHORIZATION


@dataclass(frozen=True, slots=True)
class BearerOptions:
    """A token, or a key, from a file."""

    path: str
    header: str = AUTHORIZATION
    prefix: str = "Bearer "
    """What stands before it."""


@dataclass(frozen=True, slots=True)
class BasicOptions:
    """A user's name and password."""

    username: str
    password_file: str

    @property
    def header(self) -> str:
        """The header that carries them."""
        return AUTHORIZATION


CredentialOptions = OAuth2Options | BearerOptions | BasicOptions
"""How one target is convinced. Equal ones share a token."""


def read_credentials(value: Any) -> CredentialOptions:
    """The section `value`. Raises InvalidValue with all that is wrong."""
    members = read_object(value, _READERS)
    kinds = [key for key in _KINDS if key in members]
    if not kinds:
        raise InvalidValue(f"has none of {', '.join(_KINDS)}")
    if len(kinds) > 1:
        raise InvalidValue(f"has {' and '.join(kinds)}: give one of them")
    if kinds[0] != "bearer_file":
        if extra := [key for key in ("header", "prefix") if key in members]:
            raise InvalidValue(f"has {' and '.join(extra)}, which only bearer_file takes")
        options: CredentialOptions = members[kinds[0]]
        return options
    header = members.get("header", AUTHORIZATION)
    default_prefix = "Bearer " if header.lower() == AUTHORIZATION.lower() else ""
    return BearerOptions(members["bearer_file"], header, members.get("prefix", default_prefix))


def _read_oauth2(value: Any) -> OAuth2Options:
    members = read_object(value, _OAUTH2_READERS)
    _require(members, "token_url", "client_id", "client_secret_file")
    return OAuth2Options(**members)


def _read_basic(value: Any) -> BasicOptions:
    members = read_object(value, {"username": _read_username, "password_file": read_path})
    _require(members, "username", "password_file")
    return BasicOptions(**members)


def _require(members: dict[str, Any], *keys: str) -> None:
    if missing := [key for key in keys if not members.get(key)]:
        raise InvalidValue(f"lacks {', '.join(missing)}")


def _read_token_url(value: Any) -> str:
    url = read_text(value)
    parts = split_url(url)
    if parts.login is not None:
        raise InvalidValue("holds a user name or a password: give client_id and client_secret_file")
    if parts.scheme.lower() not in ("http", "https") or not parts.place or not url.isprintable() or " " in url:
        raise InvalidValue("is no URL that begins with https:// (or http://)")
    return url


def _read_auth(value: Any) -> str:
    if value not in ("basic", "body"):
        raise InvalidValue("is neither 'basic' (id and secret in a header) nor 'body'")
    return str(value)


def _read_params(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise InvalidValue(f"is {type_name(value)}, not an object of texts")
    if reserved := sorted(_OWN_PARAMS & set(value)):
        raise InvalidValue(f"has {', '.join(reserved)}, which the other keys set")
    return tuple((name, read_text(text)) for name, text in value.items())


def _read_username(value: Any) -> str:
    name = read_text(value)
    if ":" in name or not name.isprintable():
        raise InvalidValue("holds a colon, or what is no character")
    return name


def _read_header(value: Any) -> str:
    name = read_text(value)
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _NOT_A_CREDENTIAL:
        raise InvalidValue("is no name of a header for a credential, such as X-Api-Key")
    return name


def _read_prefix(value: Any) -> str:
    text = read_text(value)
    if not (text.isascii() and text.isprintable()):
        raise InvalidValue("holds what no header can: give ASCII, such as 'Token '")
    return text


_KINDS = ("oauth2", "bearer_file", "basic")
_OWN_PARAMS = frozenset({"grant_type", "client_id", "client_secret", "scope", "audience"})

_READERS: dict[str, Callable[[Any], Any]] = {
    "oauth2": _read_oauth2,
    "bearer_file": read_path,
    "basic": _read_basic,
    "header": _read_header,
    "prefix": _read_prefix,
}
_OAUTH2_READERS: dict[str, Callable[[Any], Any]] = {
    "token_url": _read_token_url,
    "client_id": read_text,
    "client_secret_file": read_path,
    "scope": read_text,
    "audience": read_text,
    "auth": _read_auth,
    "params": _read_params,
}
