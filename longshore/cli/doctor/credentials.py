"""Credentials for targets: whether their files can be read, and their token servers reached; with --tokens, tokens."""

from collections.abc import Iterator

from config.egress import build_egress_policy
from config.settings import Settings
from config.target_files import is_exposed
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.cli.doctor.known_targets import mapping_entries, read_table
from longshore.cli.doctor.targets import report
from longshore.delivery.issued_credential import NoToken
from longshore.delivery.probe import Probe
from longshore.delivery.secret_file import check_files
from longshore.delivery.send import Sender
from longshore.delivery.send_errors import BadUrl
from longshore.delivery.target import target_of
from longshore.delivery.target_options import TargetTable, find_credentials
from longshore.delivery.token_request import fetch_token
from longshore.invocation.credentials_section import CredentialOptions, OAuth2Options

_REMEDY = "See docs/how-to/target-credentials.md"


def check(context: CheckContext) -> Iterator[Finding]:
    """Each credential that is named."""
    targets = read_table(context.settings)
    places = dict[CredentialOptions, str]()
    for place, options in find_credentials([entry.delivery for entry in mapping_entries(context.settings)], targets):
        places.setdefault(options, place)
    if not places:
        yield ok("none is named for targets")
    for options, place in places.items():
        try:
            check_files(options)
        except NoToken as error:
            yield broken(f"{place}: {error.place}: {error.problem}", _REMEDY)
            continue
        yield ok(f"{place}: the file of the secret can be read")
        if is_exposed(options):
            yield warning(f"{place}: token_url is http://, so others can read the client's secret", "Give https://")
        if isinstance(options, OAuth2Options):
            yield from _ask(options, place, context, targets)


def _ask(options: OAuth2Options, place: str, context: CheckContext, targets: TargetTable) -> Iterator[Finding]:
    if context.fetches_tokens:
        yield _fetch(options, place, context.settings, targets)
        return
    try:
        url = target_of(options.token_url)
    except BadUrl as error:
        yield broken(f"{place}: token_url: {error}", _REMEDY)
        return
    probe = Probe(context.settings.webhook_verify_ssl, build_egress_policy(context.settings), targets)
    yield from report(url, probe.check(url, context.connect_s))
    probe.close()


def _fetch(options: OAuth2Options, place: str, settings: Settings, targets: TargetTable) -> Finding:
    sender = Sender(
        "", verify=settings.webhook_verify_ssl, egress_policy=build_egress_policy(settings), targets=lambda: targets
    )
    try:
        token = fetch_token(options, sender)
    except NoToken as error:
        return broken(f"{place}: {error}", _REMEDY)
    finally:
        sender.close()
    return ok(f"{place}: {options.token_url} gives tokens, for {token.life_s:g} s", life_s=token.life_s)
