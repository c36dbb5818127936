"""`longshore notify`: whether what NOTIFY_URLS names can be reached."""

import os
from collections.abc import Iterator

import typer

from config import logging
from config.environment import rewrite_no_proxy
from config.settings import load
from longshore.cli import terminal
from longshore.cli.exit_codes import DONE, FAILED, NOT_FOUND
from longshore.notification.destinations import NOT_INSTALLED, Destination, UnusableUrl, is_installed
from longshore.notification.notifier import SEND_S
from longshore.notification.urls import split_urls
from longshore.runtime import ca_trust

TITLE = "Longshore: test"
BODY = "This is a test of NOTIFY_URLS by `longshore notify test`. Nothing has happened."

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _notify() -> None:
    """Notifications to people: try them out."""


@commands.command()
def test() -> None:
    """Send a message to each URL of NOTIFY_URLS, through the proxies and with the certificates that the agent uses."""
    rewrite_no_proxy(os.environ)
    settings = load(role=None)
    logging.configure("CRITICAL", settings.secrets_to_mask)
    urls = split_urls(settings.notify_urls)
    if not urls:
        terminal.say("NOTIFY_URLS is empty: nobody is notified.")
        raise typer.Exit(NOT_FOUND)
    if not is_installed():
        terminal.say(NOT_INSTALLED)
        raise typer.Exit(FAILED)
    with ca_trust.temporary_bundle(settings, os.environ):
        results = list(_try_each(urls))
    terminal.print_table(("url", "destination", "result"), results)
    raise typer.Exit(DONE if all(result == "ok" for _, _, result in results) else FAILED)


def _try_each(urls: list[str]) -> Iterator[tuple[int, str, str]]:
    for position, url in enumerate(urls, 1):
        try:
            destination = Destination(url)
        except UnusableUrl as error:
            yield position, "", f"not usable: {error}"
        else:
            yield position, destination.name, destination.send(TITLE, BODY, SEND_S, good=True) or "ok"
