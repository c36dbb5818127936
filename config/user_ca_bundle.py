"""The user's own bundles of certificates: the variables that name them, and whether they can be used."""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from longshore.errors import ConfigError

CA_FOLDER = Path("/usr/local/share/ca-certificates")
CA_BUNDLE = Path("~/.cache/longshore/ca-certificates.crt")
"""Where certificates are mounted, and where the bundle that holds them is written. The image writes it below
/tmp/port-agent, as users know it; outside the image, another user could create that folder first."""

SSL_CERT_FILE, REQUESTS, CURL = "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"
"""The variables; `requests` reads the third only without the second, OpenSSL and librdkafka read the first."""

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


def bundle_path(value: str | Path | None) -> Path:
    """Where the bundle goes, by LONGSHORE_CA_BUNDLE; empty is the default."""
    try:
        return Path(value or CA_BUNDLE).expanduser()
    except RuntimeError:  # a user without a home
        return Path(f"/tmp/longshore-{os.geteuid()}/ca-certificates.crt")


def user_value(environ: Mapping[str, str], name: str, assembled: Path) -> str | None:
    """What the user set `name` to; None when it is empty, or names the bundle that Longshore assembles itself."""
    value = environ.get(name)
    return None if not value or value == str(assembled) else value


def find_requests_bundle(environ: Mapping[str, str], assembled: Path) -> tuple[str, str] | None:
    """The variable and the path of the user's bundle for webhooks and Port, as `requests` chooses; None without one."""
    for name in (REQUESTS, CURL):
        if (path := user_value(environ, name, assembled)) is not None:
            return name, path
        if environ.get(name):
            return None  # the assembled one
    return None


def find_problems(environ: Mapping[str, str], assembled: Path) -> Iterator[ConfigError]:
    """What is wrong with the bundle of webhooks and Port: `requests` would fail each call, long after the start."""
    chosen = find_requests_bundle(environ, assembled)
    if chosen is not None and (problem := find_defect(chosen[1])) is not None:
        remedy = "Give the path of a PEM bundle, or take it out: certificates below LONGSHORE_CA_DIR are trusted anyway"
        yield ConfigError(chosen[0], f'"{chosen[1]}" {problem}', remedy)


def find_defect(path: str) -> str | None:
    """Why `path` cannot serve as a bundle, None when it can: a PEM file, or a folder as `c_rehash` makes it."""
    if not os.path.exists(path):
        return "is no readable file: it does not exist"
    try:
        if os.path.isdir(path):
            return None if any(map(_HASHED.fullmatch, os.listdir(path))) else "is a folder without c_rehash's links"
        if not os.path.isfile(path):
            return "is no readable file: it is a device, a pipe or a socket"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "is no readable PEM bundle: OpenSSL finds no certificates in it, or a damaged one"
    except OSError as error:
        return f"is no readable file: {(error.strerror or type(error).__name__).lower()}"
    return None
