"""What is wrong across several variables, for the program that reads them.

The checks look at the raw texts, so that they report even when another variable is unusable.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from config import flower_login, host_table_files, tls_files, user_ca_bundle
from config.boolean_text import parse_boolean
from config.roles import Role
from config.validators import SASL_PROTOCOLS
from longshore.errors import ConfigError

_GROUP = "kafka_consumer_group_id"
_OF_KAFKA = ("kafka_", "using_local_port_instance", "commit_mode")
"""How the names of settings begin that matter with Kafka alone."""

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""librdkafka's sasl.mechanism, in its spelling: those with a user and a password, as Port issues them."""


def without_unused(texts: Mapping[str, str]) -> dict[str, str]:
    """`texts` without the settings of Kafka's client where nothing is read from Kafka: they are not even checked.

    The group's name stays, as it names what is kept in Redis.
    """
    if texts.get("streamer_name") != "POLLING":
        return dict(texts)
    return {name: text for name, text in texts.items() if name == _GROUP or not name.startswith(_OF_KAFKA)}


def find_problems(texts: Mapping[str, str], environ: Mapping[str, str], role: Role) -> list[ConfigError]:
    """What is wrong across variables for `role`. `texts` are the settings as texts by field name."""
    assembled = user_ca_bundle.bundle_path(texts.get("longshore_ca_bundle"))
    problems = [*_missing_settings(texts, role), *user_ca_bundle.find_problems(environ, assembled)]
    if role.reads_invocations:
        problems.extend(
            (*_broker_problems(texts), *_kafka_login_problems(texts), *tls_files.find_kafka_problems(texts))
        )
    if role.talks_to_port:
        problems.extend(tls_files.find_port_problems(texts))
    if role is not Role.FLOWER:
        problems.extend(_mapping_file_problems(texts))
        problems.extend(
            host_table_files.find_problems(texts.get("limits_file", ""), texts.get("targets_file", ""), role)
        )
    else:
        problems.extend(flower_login.find_problems(texts, environ))
    return problems


def _missing_settings(texts: Mapping[str, str], role: Role) -> Iterator[ConfigError]:
    required = {"port_org_id": "Give your Port organization id: it names the topics and all that is kept"}
    if role.talks_to_port:
        credentials = "Port shows it under Credentials"
        required |= {"port_client_id": credentials, "port_client_secret": credentials}
    if texts.get("streamer_name", "KAFKA") == "KAFKA":
        required[_GROUP] = "Give <PORT_ORG_ID>.<a name of your own>, e.g. org_AbC123.agent"
    if not role.brings_redis:
        required["redis_url"] = "Give the address of your Redis, e.g. redis://localhost:6379/0"
    for name, remedy in required.items():
        if not texts.get(name):
            yield ConfigError(name.upper(), "is empty" if name in texts else "is missing", remedy)


def _kafka_login_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    """How to log in matters to librdkafka only where the protocol asks for a login."""
    protocol = texts.get("kafka_consumer_security_protocol", "")
    mechanism = texts.get("kafka_consumer_authentication_mechanism", "none")
    if protocol.lower() not in SASL_PROTOCOLS:
        return
    if mechanism not in MECHANISMS:
        yield ConfigError(
            "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM",
            f'"{mechanism}" is no way to log in, which {protocol} of KAFKA_CONSUMER_SECURITY_PROTOCOL asks for',
            f"Give one of {', '.join(MECHANISMS)}; Port's cluster takes SCRAM-SHA-512",
        )
    if _is_local(texts):
        yield ConfigError(
            "KAFKA_CONSUMER_SECURITY_PROTOCOL",
            f"{protocol} needs a login, and with USING_LOCAL_PORT_INSTANCE there is none",
            "Give plaintext or ssl",
        )


def _is_local(texts: Mapping[str, str]) -> bool | None:
    return parse_boolean(texts.get("using_local_port_instance", "false"))


def _broker_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    local = _is_local(texts)
    brokers = bool(texts.get("kafka_consumer_bootstrap_servers"))
    name = "KAFKA_CONSUMER_BOOTSTRAP_SERVERS"
    if local and not brokers:
        yield ConfigError(
            name, "is missing although USING_LOCAL_PORT_INSTANCE is true", "Give the brokers, e.g. localhost:9092"
        )
    if brokers and local is False:
        yield ConfigError(
            name,
            "is set although USING_LOCAL_PORT_INSTANCE is false",
            "Take it out, as the Port API names the brokers, or set USING_LOCAL_PORT_INSTANCE=true",
        )


def _mapping_file_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    path = texts.get("control_the_payload_config_path")
    if path and not Path(path).is_file():
        yield ConfigError(
            "CONTROL_THE_PAYLOAD_CONFIG_PATH",
            f'"{path}" is not a file',
            "Give the path of the mapping file, or take the variable out for the built-in mapping",
        )
