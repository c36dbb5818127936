"""Where notifications go: URLs of the library apprise, which knows Slack, Teams, mail, webhooks and many others.

It reads proxies and CA bundles from the environment, as all that uses `requests` does. The library is imported when
there is something to send: it takes 0.2 s and 20 MB. What it logs holds URLs and messages, so nothing of it reaches our
log but the reason of a failure, without the URL.
"""

import logging
import re
import threading
import warnings
from importlib.util import find_spec
from typing import Any

from longshore.invocation.masking import Mask
from longshore.notification.urls import secrets_of
from longshore.printable import printable

NOT_INSTALLED = "NOTIFY_URLS is set, but the extra `notify` is not installed"

_CAUSE = re.compile(r"Socket Exception: (?:.*\(Caused by )?(.+?)\)?$", re.DOTALL)
_UNKNOWN = "Unparseable URL"
_LOG_NAME = "apprise"


def is_installed() -> bool:
    """Whether the extra `notify` is there. Imports nothing."""
    return find_spec("apprise") is not None


class UnusableUrl(ValueError):
    """apprise takes no such URL. The text does not hold it."""


class Destination:
    """One URL. Raises `UnusableUrl`."""

    def __init__(self, url: str) -> None:
        self._service, reason = _instantiate(url)
        if self._service is None:
            raise UnusableUrl(_describe(url, reason))
        self._mask = Mask(secrets_of([url]))
        self._thread: threading.Thread | None = None
        self.name = _name_of(self._service.url(privacy=True))
        """The URL as it may be shown: scheme and host. A path may be a token, and a host too, so apprise masks it."""

    def send(self, title: str, body: str, timeout_s: float, *, good: bool = False) -> str:
        """Sends a message; returns why it was not taken, or an empty text.

        In a thread of its own, as no library bounds how long a server may drip its answer. One that hangs is left
        behind, and nothing is sent until it has ended.
        """
        if self._thread is not None and self._thread.is_alive():
            return "the message before is still under way"
        outcome: list[str] = []
        self._thread = threading.Thread(
            target=lambda: outcome.append(self._send(title, body, good)),
            name="notification",
            daemon=True,
        )
        self._thread.start()
        self._thread.join(timeout_s)
        return outcome[0] if outcome else f"no answer within {timeout_s:g} s"

    def _send(self, title: str, body: str, good: bool) -> str:
        from apprise import NotifyFormat, NotifyType

        with _LogReader() as log:
            try:
                notify_type = NotifyType.SUCCESS if good else NotifyType.FAILURE
                is_sent = self._service.notify(
                    body=body, title=title, notify_type=notify_type, body_format=NotifyFormat.TEXT
                )
            except Exception as error:  # of a plugin
                return f"{type(error).__name__} in the library"
        return "" if is_sent else self._mask.text(log.reason() or "the service did not take it")


def _describe(url: str, reason: str) -> str:
    if reason and not reason.startswith(_UNKNOWN):
        return reason
    scheme = url.partition("://")[0].lower()
    if scheme in ("http", "https"):
        own = "jsons" if scheme == "https" else "json"
        return f"no service has such an {scheme}:// address; one of your own that takes JSON is written {own}://"
    return "it is no URL of a service that apprise knows"


def _name_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return printable(f"{scheme}://{re.split('[/?]', rest)[0].rpartition('@')[2]}")


def _instantiate(url: str) -> tuple[Any, str]:
    with _LogReader() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for modules that are to go
        from apprise import Apprise, AppriseAsset

        # A redirect turns most messages into a GET without them, and who answers that has taken none.
        asset = AppriseAsset(
            app_id="Longshore", app_desc="Longshore", async_mode=False, secure_logging=True, http_redirects=False
        )
        try:
            service = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        except Exception:  # of a plugin
            service = None
    return service, "" if service else Mask(secrets_of([url])).text(log.reason())


class _LogReader(logging.Handler):
    """Reads what apprise logs in this thread, and keeps all of it from our own log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._thread_id = threading.get_ident()
        self._texts: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps warnings, and the cause of a connection that failed."""
        if record.thread != self._thread_id:
            return
        text = record.getMessage()
        if cause := _CAUSE.fullmatch(text):
            self._texts.append((logging.CRITICAL, cause[1]))
        elif record.levelno >= logging.WARNING:
            self._texts.append((record.levelno, text))

    def reason(self) -> str:
        """The most telling text; empty without one."""
        return printable(max(self._texts, key=lambda each: each[0])[1])[:300] if self._texts else ""

    def __enter__(self) -> "_LogReader":
        logger = logging.getLogger(_LOG_NAME)
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(_LOG_NAME).removeHandler(self)
