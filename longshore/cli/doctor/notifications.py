"""Notifications: whether anybody is told, and whether the URLs can be read. Sends nothing."""

from collections.abc import Iterator

from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.notification.destinations import NOT_INSTALLED, Destination, UnusableUrl, is_installed
from longshore.notification.urls import split_urls


def check(context: CheckContext) -> Iterator[Finding]:
    """One finding for each URL."""
    settings = context.settings
    urls = split_urls(settings.notify_urls)
    if not urls:
        yield ok("NOTIFY_URLS is empty: nobody is notified of dead letters")
        return
    if not is_installed():
        yield broken(NOT_INSTALLED, "`pip install longshore[notify]`, or unset NOTIFY_URLS")
        return
    for position, url in enumerate(urls, 1):
        try:
            yield ok(f"URL {position} is {Destination(url).name}; `longshore notify test` sends a message there")
        except UnusableUrl as error:
            yield broken(f"URL {position} cannot be used: {error}", "Correct it, see docs/how-to/notifications.md")
    if not settings.flower_public_url:
        yield warning("FLOWER_PUBLIC_URL is empty: messages have no links", "Set it to Flower's address")
