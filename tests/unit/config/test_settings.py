"""What each variable of the wire contract accepts, defaults to and refuses, and how several programs differ."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from config.roles import Role
from config.settings import Settings, load
from longshore.errors import ConfigError, ConfigProblems
from longshore.invocation.kinds import Kind

LEAST = {
    "PORT_ORG_ID": "org_AbC123",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "s3cret-value",
    "KAFKA_CONSUMER_GROUP_ID": "org_AbC123.agent",
}
WEBHOOKS = "whsec_" + "c2VjcmV0" * 4
REDIS = {"REDIS_URL": "redis://:hush-hush@localhost:6379/0"}

CONTRACT_DEFAULTS: dict[str, Any] = {
    "PORT_API_BASE_URL": "https://api.getport.io",
    "STREAMER_NAME": "KAFKA",
    "LOG_LEVEL": "INFO",
    "DETAILED_LOGGING": True,
    "USING_LOCAL_PORT_INSTANCE": False,
    "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "",
    "KAFKA_CONSUMER_SECURITY_PROTOCOL": "plaintext",
    "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "none",
    "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": 10_000,  # the original's are 45 s: docs/decisions/recovery-within-15-s.md
    "KAFKA_CONSUMER_AUTO_OFFSET_RESET": "earliest",
    "POLLING_INTERVAL_SECONDS": 10,
    "POLLING_RUNS_BATCH_SIZE": 100,
    "POLLING_INITIAL_BACKOFF_SECONDS": 1,
    "POLLING_BACKOFF_FACTOR": 2.0,
    "POLLING_MAX_BACKOFF_SECONDS": 300,
    "POLLING_BACKOFF_JITTER_FACTOR": 0.1,
    "POLLING_MAX_FAILURE_DURATION_SECONDS": 3600,
    "WEBHOOK_INVOKER_TIMEOUT": 30.0,
    "WEBHOOK_VERIFY_SSL": True,
}
BOOLEANS = ["DETAILED_LOGGING", "USING_LOCAL_PORT_INSTANCE", "WEBHOOK_VERIFY_SSL"]
WHOLE_NUMBERS = [name for name, default in CONTRACT_DEFAULTS.items() if type(default) is int]
NUMBERS = ["WEBHOOK_INVOKER_TIMEOUT", "POLLING_BACKOFF_FACTOR", "POLLING_BACKOFF_JITTER_FACTOR"]


def settings(**given: str) -> Settings:
    """The least settings, and these."""
    return load({**LEAST, **given})


def problems(environ: dict[str, str], role: Role = Role.RUN) -> dict[str, ConfigError]:
    """What is wrong with an environment, by variable."""
    with pytest.raises(ConfigProblems) as caught:
        load(environ, role)
    return {problem.variable: problem for problem in caught.value.problems}


@pytest.mark.parametrize(("name", "default"), CONTRACT_DEFAULTS.items())
def test_defaults_are_those_of_the_original_agent(name: str, default: Any) -> None:
    """An environment that works with the original agent means the same here."""
    assert default == getattr(settings(), name.lower())


def test_texts_arrive_as_given() -> None:
    """Identifiers and names are taken to the letter."""
    loaded = settings()

    assert "org_AbC123" == loaded.port_org_id
    assert "client" == loaded.port_client_id
    assert "s3cret-value" == loaded.port_client_secret
    assert "org_AbC123.agent" == loaded.kafka_consumer_group_id


def test_topics_follow_from_the_organization() -> None:
    """The topic names are the organization's unless they are set; empty counts as not set."""
    assert "org_AbC123.runs" == settings(KAFKA_RUNS_TOPIC="").runs_topic
    assert "org_AbC123.change.log" == settings().change_log_topic
    assert "mine" == settings(KAFKA_RUNS_TOPIC="mine").runs_topic
    assert "theirs" == settings(KAFKA_CHANGE_LOG_TOPIC="theirs").change_log_topic


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "On", "t", "Y", "false", "0", "NO", "off", "f", "n"])
def test_booleans_have_many_spellings_in_any_case(name: str, text: str) -> None:
    """The spellings of the original agent are accepted."""
    meant = text.lower() in {"true", "1", "yes", "on", "t", "y"}
    brokers = {"KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "b:9092"} if (name, meant) == (BOOLEANS[1], True) else {}

    assert meant is getattr(settings(**{name: text}, **brokers), name.lower())


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("text", ["", "maybe", "2", " true "])
def test_anything_else_is_no_boolean(name: str, text: str) -> None:
    """A word that is neither stops the start and names the variable; the empty text too."""
    assert "boolean" in problems({**LEAST, name: text})[name].problem


@pytest.mark.parametrize("name", WHOLE_NUMBERS)
@pytest.mark.parametrize("text", ["", "ten", "1.5", "-1"])
def test_whole_numbers_refuse_anything_else(name: str, text: str) -> None:
    """The error names the variable."""
    assert name in problems({**LEAST, name: text})


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_may_have_a_fraction_but_no_unit(name: str) -> None:
    """`0.5` is a number of seconds, `30s` is not; infinity and NaN would hang or crash what computes with them."""
    assert 0.5 == getattr(settings(**{name: "0.5"}), name.lower())
    for text in ("30s", "nan", "inf"):
        assert name in problems({**LEAST, name: text})


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("role", [Role.RUN, Role.INGEST, Role.WORKER])
def test_what_is_required_may_be_neither_missing_nor_empty(name: str, role: Role) -> None:
    """An empty organization id would subscribe to the topic `.runs`; an empty secret would verify anything."""
    rest = {other: text for other, text in {**LEAST, **REDIS}.items() if other != name}

    assert "is missing" == problems(rest, role)[name].problem
    assert "is empty" == problems({**rest, name: ""}, role)[name].problem


POLLING = {name: text for name, text in LEAST.items() if name != "KAFKA_CONSUMER_GROUP_ID"} | {
    "STREAMER_NAME": "POLLING"
}


@pytest.mark.parametrize("role", Role)
def test_polling_asks_for_nothing_of_kafka_and_checks_nothing(role: Role) -> None:
    """Whatever is left of it in the environment, for instance by the chart's defaults."""
    left = {
        "KAFKA_CONSUMER_GROUP_ID": "",
        "KAFKA_CONSUMER_SECURITY_PROTOCOL": "SASL-SSL",
        "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "magic",
        "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "long",
        "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "left:9092",
        "USING_LOCAL_PORT_INSTANCE": "perhaps",
        "KAFKA_BATCH_SIZE": "0",
        "COMMIT_MODE": "finished",
    }
    environ = {**POLLING, **REDIS, "FLOWER_UNPROTECTED": "true"}
    for settings in (load(environ, role), load(environ | left, role)):
        assert settings.is_polling
        assert "org_AbC123/polling" == settings.namespace
        assert not settings.commits_finished


def test_a_switch_between_kafka_and_polling_stays_in_the_same_ledger() -> None:
    """What waits there is delivered in the other mode, too."""
    both = [load({**LEAST, **REDIS, "STREAMER_NAME": name}).namespace for name in ("KAFKA", "POLLING")]

    assert ["org_AbC123/org_AbC123.agent"] * 2 == both


@pytest.mark.parametrize("mechanism", ["none", "", "GSSAPI", "OAUTHBEARER", "scram-sha-512", "SCRAM-SHA-1"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "sasl_plaintext"])
def test_a_login_needs_a_way_to_log_in(protocol: str, mechanism: str) -> None:
    """Librdkafka refuses others, or goes on for ever without a login; without SASL they mean nothing."""
    name = "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM"
    login = {"KAFKA_CONSUMER_SECURITY_PROTOCOL": protocol, name: mechanism}

    assert "SCRAM-SHA-512" in problems({**LEAST, **login})[name].remedy
    settings(**{**login, "KAFKA_CONSUMER_SECURITY_PROTOCOL": "ssl"})
    settings(**{**login, name: "SCRAM-SHA-256"})


def test_a_local_kafka_with_a_login_is_refused() -> None:
    """There is nowhere to get a user from."""
    local = {"USING_LOCAL_PORT_INSTANCE": "true", "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "localhost:9092"}
    login = {"KAFKA_CONSUMER_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "PLAIN"}

    assert ["KAFKA_CONSUMER_SECURITY_PROTOCOL"] == list(problems({**LEAST, **local, **login}))


@pytest.mark.parametrize("role", [Role.INGEST, Role.WORKER, Role.FLOWER])
def test_a_role_alone_needs_redis(role: Role) -> None:
    """Only the whole agent brings its own."""
    assert ["REDIS_URL"] == list(problems(LEAST, role))
    assert load(LEAST, Role.RUN).redis_url == ""


def test_flower_needs_no_credentials_of_port() -> None:
    """Whoever only looks should not have to hold the secret."""
    names = {"PORT_ORG_ID": "org", "KAFKA_CONSUMER_GROUP_ID": "org.agent", **REDIS}

    assert "org/org.agent" == load(names, Role.FLOWER).namespace


def test_a_local_instance_names_its_brokers() -> None:
    """Brokers are needed with a local instance, and an error without one, where Port names them."""
    name = "KAFKA_CONSUMER_BOOTSTRAP_SERVERS"
    local = {"USING_LOCAL_PORT_INSTANCE": "true"}

    assert name in problems({**LEAST, **local})
    assert name in problems({**LEAST, name: "broker:9092"})
    assert "broker:9092" == settings(**local, **{name: "broker:9092"}).kafka_consumer_bootstrap_servers
    assert load({**LEAST, **REDIS, **local}, Role.WORKER).using_local_port_instance, "a worker reads no Kafka"


@pytest.mark.parametrize("text", ["https://api.us.getport.io/", "https://api.us.getport.io//"])
def test_trailing_slashes_of_the_api_address_go(text: str) -> None:
    """Paths are appended to it."""
    assert "https://api.us.getport.io" == settings(PORT_API_BASE_URL=text).port_api_base_url


@pytest.mark.parametrize("text", ["", "api.getport.io", "ftp://x", "http://", "http://[", "http://h:99999"])
def test_the_api_address_is_http(text: str) -> None:
    """Anything else could only fail later."""
    assert "PORT_API_BASE_URL" in problems({**LEAST, "PORT_API_BASE_URL": text})


@pytest.mark.parametrize("text", ["debug", "Debug", "DEBUG"])
def test_log_levels_have_any_case(text: str) -> None:
    """`LOG_LEVEL=debug` crashed the original agent."""
    assert "DEBUG" == settings(LOG_LEVEL=text).log_level
    assert "LOG_LEVEL" in problems({**LEAST, "LOG_LEVEL": "loud"})


@pytest.mark.parametrize("text", ["kafka", "", "RABBIT"])
def test_the_streamer_is_kafka_or_polling(text: str) -> None:
    """In exact upper case, and checked before anything starts."""
    assert "'KAFKA' or 'POLLING'" in problems({**LEAST, "STREAMER_NAME": text})["STREAMER_NAME"].remedy


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("KAFKA_CONSUMER_SECURITY_PROTOCOL", "SSL", "SASL-SSL"),
        ("KAFKA_CONSUMER_SESSION_TIMEOUT_MS", "300000", "300001"),
        ("KAFKA_BATCH_SIZE", "1000000", "1000001"),
        ("KAFKA_CONSUMER_AUTO_OFFSET_RESET", "largest", "newest"),
        ("IDEMPOTENCY_HEADER", "", "a b"),
        ("STANDARD_WEBHOOKS_SECRET", WEBHOOKS, "whsec_c2hvcnQ="),
        ("REDIS_URL", "sentinel://one:26379;sentinel://two:26379", "http://localhost"),
        ("UNKNOWN_OUTCOME", "retry", "guess"),
        ("UNMATCHED_NODE_RUNS", "fail", "drop"),
        ("REDIS_MEMORY_LIMIT_RATIO", "0.5", "80"),
        ("LONGSHORE_PROFILE", "small", "tiny"),
        ("METRICS_PORT", "9100", "99100"),
        ("WORKER_SLOTS", "1", "0"),
        ("LEASE_S", "8", "7.9"),
    ],
)
def test_values_with_limits_are_checked_at_start(name: str, good: str, bad: str) -> None:
    """Found at the start, not by the first message."""
    settings(**{name: good})

    assert name in problems({**LEAST, name: bad})


def test_all_problems_come_in_one_message() -> None:
    """Nobody has to start the program once for each mistake."""
    with pytest.raises(ConfigProblems) as caught:
        load({"PORT_ORG_ID": "", "WEBHOOK_VERIFY_SSL": "perhaps", "LOG_LEVEL": "loud", "DRAIN_S": "30s"})
    text = str(caught.value)

    names = [*LEAST, "WEBHOOK_VERIFY_SSL", "LOG_LEVEL", "DRAIN_S"]
    assert names == [name for name in names if f"{name}: " in text]
    assert 'DRAIN_S: "30s" is not a number. Give a number without a unit, e.g. 30.' in text


def test_a_wrong_secret_is_not_shown() -> None:
    """Neither in a problem nor in the settings' repr."""
    assert "hush" not in str(problems({**LEAST, "REDIS_URL": "http://:hush-hush@h"})["REDIS_URL"])
    assert "s3cret" not in repr(settings(**REDIS))
    assert "hush" not in repr(settings(**REDIS))


def test_settings_are_frozen() -> None:
    """Nobody changes them under another's feet."""
    with pytest.raises(ValueError, match="frozen"):
        settings().log_level = "DEBUG"  # type: ignore[misc]


def test_total_time_and_drain_follow_the_webhook_timeout() -> None:
    """Ten times as long for the whole request; at shutdown three seconds more than one read may take."""
    loaded = settings(WEBHOOK_INVOKER_TIMEOUT="5", WEBHOOK_TOTAL_TIMEOUT="", DRAIN_S="")
    assert (50, 8) == (loaded.total_timeout_s, loaded.drain_grace_s)

    loaded = settings(WEBHOOK_TOTAL_TIMEOUT="7", DRAIN_S="0")
    assert (7, 0) == (loaded.total_timeout_s, loaded.drain_grace_s)


def test_a_retry_setting_holds_for_all_kinds_and_the_rest_stays_by_kind() -> None:
    """Runs are given up sooner than change log events, because a person waits for them."""
    run, event = (settings(RETRY_MAX_ATTEMPTS="3").retry_policy(kind) for kind in (Kind.ACTION_RUN, Kind.CHANGE_LOG))

    assert (3, 3) == (run.max_attempts, event.max_attempts)
    assert run.max_age_s < event.max_age_s
    assert ("park", "retry") == (run.unknown_outcome, event.unknown_outcome)
    assert "retry" == settings(UNKNOWN_OUTCOME="retry").retry_policy(Kind.NODE_RUN).unknown_outcome


def test_the_mapping_file_in_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is named; else the usual one in the working directory; else the built-in mapping."""
    monkeypatch.chdir(tmp_path)
    assert settings().mapping_path is None

    Path("control_the_payload_config.json").write_text("[]")
    assert Path("control_the_payload_config.json") == settings().mapping_path

    Path("other.json").write_text("[]")
    assert Path("other.json") == settings(CONTROL_THE_PAYLOAD_CONFIG_PATH="other.json").mapping_path
    assert "CONTROL_THE_PAYLOAD_CONFIG_PATH" in problems({**LEAST, "CONTROL_THE_PAYLOAD_CONFIG_PATH": "gone.json"})


def test_mappings_see_the_environment_without_our_secrets() -> None:
    """GitLab tokens are there to be read; the client secret and the address of Redis are not."""
    environ = {**LEAST, **REDIS, "platform_tools_billing": "token", "PORT_CLIENT_SECRET_PREVIOUS": "old"}
    environ |= {"STANDARD_WEBHOOKS_SECRET": WEBHOOKS, "STANDARD_WEBHOOKS_SECRET_PREVIOUS": WEBHOOKS}
    environ["FLOWER_OAUTH2_SECRET"] = "client"
    hidden = {name for name in environ if "_SECRET" in name} | {"REDIS_URL"}

    assert set(environ) - hidden == set(load(environ).mapping_env())
    environ["MAPPING_SEES_SECRETS"] = "yes"
    assert environ == load(environ).mapping_env()


@pytest.mark.parametrize("sees_secrets", ["true", "false"])
def test_an_empty_address_of_gitlab_is_not_set(sees_secrets: str) -> None:
    """`GITLAB_URL: ${GITLAB_URL:-}`: the built-in mapping has gitlab.com for none, and could call no empty one."""
    environ = {**LEAST, "MAPPING_SEES_SECRETS": sees_secrets, "REGION": ""}

    assert {"REGION": ""}.items() <= load(environ | {"GITLAB_URL": ""}).mapping_env().items()
    assert "GITLAB_URL" not in load(environ | {"GITLAB_URL": ""}).mapping_env()
    assert "https://git.acme.io" == load(environ | {"GITLAB_URL": "https://git.acme.io"}).mapping_env()["GITLAB_URL"]


def test_both_secrets_and_the_password_of_redis_are_masked() -> None:
    """Everything that logging must hide is named by the settings."""
    loaded = settings(**REDIS, PORT_CLIENT_SECRET_PREVIOUS="older-value")

    assert ("s3cret-value", "older-value") == loaded.secrets
    assert {"s3cret-value", "older-value", "hush-hush"} == set(loaded.secrets_to_mask)


def test_the_secret_of_standard_webhooks_is_masked_with_its_prefix_and_without() -> None:
    """It switches the signature on."""
    loaded = settings(STANDARD_WEBHOOKS_SECRET=WEBHOOKS)

    assert {"s3cret-value", WEBHOOKS, WEBHOOKS.removeprefix("whsec_")} == set(loaded.secrets_to_mask)
    assert (True, False) == tuple(each.request_identity.has_standard_webhooks for each in (loaded, settings()))
    assert WEBHOOKS not in repr(loaded)


def test_credentials_of_proxies_are_masked() -> None:
    """As they are written, decoded, and with their user; a password that was pasted raw as well."""
    loaded = settings(HTTP_PROXY="http://ann:p%40ss%2F1@proxy:3128", all_proxy="http://bob:p@ss/2@proxy:3128")
    passwords = {"p%40ss%2F1", "p@ss/1", "ann:p%40ss%2F1", "ann:p@ss/1", "p@ss/2", "bob:p@ss/2"}

    assert {"s3cret-value", *passwords} == set(loaded.secrets_to_mask)


def test_problems_survive_pickling() -> None:
    """Celery pickles errors, and one that cannot be rebuilt brings a worker down."""
    problem = ConfigProblems([ConfigError("LEASE_S", "is missing", "Give it.")])

    assert str(problem) == str(pickle.loads(pickle.dumps(problem)))


def test_a_misspelt_name_is_named_beside_what_is_missing_for_it() -> None:
    """The one message says what is wrong and what was probably meant."""
    with pytest.raises(ConfigProblems) as raised:
        load({"PORT_ORGID": "org"})

    assert "PORT_ORGID is not read. Did you mean PORT_ORG_ID?" in str(raised.value)
