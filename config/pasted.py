"""Pasting mistakes: what was pasted along with a value and is taken as a part of it. Advice that stops no start."""

from collections.abc import Collection, Iterator, Mapping

from config.boolean_text import parse_boolean
from longshore.invocation.variables import find_paste_problem
from longshore.network import proxy_settings


def find_pasting_mistakes(environ: Mapping[str, str], names: Collection[str]) -> Iterator[str]:
    """What looks wrong about the values of `names` and of the proxies, by name and never with a secret."""
    for name in sorted(names):
        if (problem := find_paste_problem(environ.get(name, ""))) is not None:
            yield f"{name} {problem}"
    yield from _find_wrong_addresses(environ)
    yield from (f"{problem}. {remedy}" for problem, remedy in proxy_settings.find_problems(environ))


def _find_wrong_addresses(environ: Mapping[str, str]) -> Iterator[str]:
    base = environ.get("PORT_API_BASE_URL", "").strip().rstrip("/")
    if base.endswith("/v1"):
        yield "PORT_API_BASE_URL ends with /v1, which is added to it by itself. Leave it out"
    organization, group = (environ.get(name, "").strip() for name in ("PORT_ORG_ID", "KAFKA_CONSUMER_GROUP_ID"))
    local = parse_boolean(environ.get("USING_LOCAL_PORT_INSTANCE", ""))
    # A prefix is not enough: org_AB is another organization than org_A.
    is_own_group = group.startswith(organization) and not group.removeprefix(organization)[:1].isalnum()
    reads_kafka = environ.get("STREAMER_NAME") != "POLLING" and not local
    if organization and group and reads_kafka and not is_own_group:
        yield (
            "KAFKA_CONSUMER_GROUP_ID does not begin with PORT_ORG_ID. Port's Kafka refuses the groups of other "
            f"organizations; give {organization}.<a name of your own>, unless it is the name of your Kafka user"
        )
