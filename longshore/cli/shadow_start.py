"""What the commands of `longshore shadow` begin with, and what they count."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import logging
from config.environment import rewrite_no_proxy
from config.roles import Role
from config.settings import Settings, load
from longshore.errors import LongshoreError
from longshore.runtime import ca_trust


class Unwritable(LongshoreError):
    """The file of lines cannot be written to."""


@contextmanager
def start() -> Iterator[Settings]:
    """The settings of an agent without its Redis, and what it trusts; SIGTERM ends as Ctrl-C does."""
    rewrite_no_proxy(os.environ)
    settings = load(role=Role.RUN)
    logging.configure("ERROR", settings.secrets_to_mask)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ca_trust.temporary_bundle(settings, os.environ):
        yield settings


@contextmanager
def as_unwritable(path: Path) -> Iterator[None]:
    """Raises `Unwritable` for an OSError of the file `path`."""
    try:
        yield
    except OSError as error:
        raise Unwritable(f'"{path}" cannot be written to: {error.strerror}') from None


_WORDS = {"read": "messages read", "webhook": "webhooks", "port": "calls to Port", "message": "messages for the agent"}


def describe_counts(counts: Counter[str]) -> str:
    """What was counted, for people."""
    return ", ".join(f"{count} {_WORDS.get(name, name)}" for name, count in counts.items() if count) or "Nothing yet."
