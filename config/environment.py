"""The process environment and the `.env` file: reading them, and the advice they call for.

Leaves to `config.settings` what a value means. Advice never stops a start: names that are not ours are legal, because
mapping expressions can read them.
"""

import difflib
import os
import stat
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from pathlib import Path

from dotenv import dotenv_values

from config.pasted import find_pasting_mistakes
from config.secret_files import FILE_NAMES
from longshore.errors import ConfigError, ConfigProblems
from longshore.network.no_proxy import normalize_no_proxy

REMOVED = {
    "KAFKA_CONSUMER_BROKERS": "KAFKA_CONSUMER_BOOTSTRAP_SERVERS, with USING_LOCAL_PORT_INSTANCE=true",
    "KAFKA_CONSUMER_USERNAME": "the Port API, which gives the Kafka credentials",
    "KAFKA_CONSUMER_PASSWORD": "the Port API, which gives the Kafka credentials",
    "KAFKA_WF_NODE_RUNS_TOPIC": "KAFKA_RUNS_TOPIC, which carries node runs too",
}
"""Names of older agents that guides still show, and what took their place. Accepted and ignored."""

MIN_SIMILARITY = 0.88
"""How similar two names must be (difflib's ratio) for a "did you mean": one letter in nine may differ."""

KUBERNETES_SUFFIXES = ("_SERVICE_HOST", "_SERVICE_PORT", "_TCP", "_TCP_ADDR", "_TCP_PORT", "_TCP_PROTO")
"""Suffixes of the variables that Kubernetes adds for each Service, whatever its name."""


def read_environment() -> dict[str, str]:
    """The process environment, and below it the `.env` file if there is one; raises `ConfigProblems`."""
    path = find_env_file()
    if path is None:
        return dict(os.environ)
    try:
        values = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = ConfigError(str(path), f"cannot be read ({type(error).__name__})", "Make it a readable UTF-8 file")
        raise ConfigProblems([problem]) from None
    return {**{name: value for name, value in values.items() if value is not None}, **os.environ}


def find_env_file() -> Path | None:
    """The nearest `.env` file at or above the working directory, otherwise at or above the program's own folder.

    Only one that nobody else could have written, see `_distrust_reason`.
    """
    return next((path for path in _env_files() if not _distrust_reason(path)), None)


def find_advice(environ: Mapping[str, str], setting_names: Collection[str]) -> Iterator[str]:
    """What an operator should check: unread `.env` files, odd names of variables, pasting mistakes."""
    for path in _env_files():
        if (reason := _distrust_reason(path)) is None:
            break
        yield f"{path} is not read: {reason}"
    for name in sorted(environ):
        if name in REMOVED:
            yield f"{name} is no longer read. Its place was taken by {REMOVED[name]}"
        elif name not in setting_names and name not in FILE_NAMES and (similar := _similar_name(name, setting_names)):
            yield f"{name} is not read. Did you mean {similar}?"
    yield from find_pasting_mistakes(environ, {*setting_names, *FILE_NAMES})


def rewrite_no_proxy(environ: MutableMapping[str, str]) -> None:
    """Rewrite entries of NO_PROXY that are URLs to their host and port: libraries match hosts only."""
    for name in ("NO_PROXY", "no_proxy"):
        if name in environ:
            environ[name] = normalize_no_proxy(environ[name])


def _env_files() -> Iterator[Path]:
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / ".env").is_file():
                yield folder / ".env"


def _distrust_reason(path: Path) -> str | None:
    """Why somebody else may have written `path` or put it there, in words: it decides where secrets are sent."""
    for each, status in ((path.parent, path.parent.stat()), (path, path.lstat()), (path, path.stat())):
        if status.st_uid not in (0, os.geteuid()):
            return f"{each} belongs to another user ({status.st_uid})"
        if status.st_mode & stat.S_IWOTH and not (status.st_mode & stat.S_ISVTX or stat.S_ISLNK(status.st_mode)):
            return f"{each} may be written by others"
    return None


def _similar_name(name: str, setting_names: Collection[str]) -> str | None:
    """The setting that `name` resembles: another case, a typing mistake, or one word too many or too few."""
    if name.endswith(KUBERNETES_SUFFIXES):
        return None
    upper = name.upper()
    if upper in setting_names:
        return upper
    if matches := difflib.get_close_matches(upper, setting_names, n=1, cutoff=MIN_SIMILARITY):
        return matches[0]
    words = set(upper.split("_"))
    return next((other for other in sorted(setting_names) if _one_word_apart(words, set(other.split("_")))), None)


def _one_word_apart(words: set[str], others: set[str]) -> bool:
    # With fewer than three words in common it is chance: PORT_ID is not PORT_ORG_ID.
    return len(words ^ others) == 1 and len(words & others) >= 3
