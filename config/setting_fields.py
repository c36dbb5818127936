"""Every setting: its name, meaning, default and limits.

A field is the variable's name in lower case, and its description is what the reference and `longshore config check`
show. A secret is kept out of the repr. What follows from several settings is in `config/settings.py`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveInt

from config import validators
from config.user_ca_bundle import CA_BUNDLE, CA_FOLDER, bundle_path
from longshore.notification.kinds import Kind as NotificationKind


def _empty_is_none(value: Any) -> Any:
    # `NAME: ${NAME:-}` of a compose file means "not set".
    return None if value == "" else value


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65535)]
EmptyIsNone = BeforeValidator(_empty_is_none)


class SettingFields(BaseModel):
    """The settings as they are given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    # The agent at Port
    port_org_id: str = Field("", description="Organization id; gives the topic names. Required")
    port_client_id: str = Field("", description="Client id of the Port API. Required")
    port_client_secret: str = Field(
        "", repr=False, description="Client secret of the Port API; also signs, verifies and decrypts. Required"
    )
    port_client_secret_previous: str = Field(
        "", repr=False, description="The secret before a rotation: what it signed or encrypted is still accepted"
    )
    port_api_base_url: Annotated[str, AfterValidator(validators.base_url)] = Field(
        "https://api.getport.io", description="Address of the Port API; US region: https://api.us.getport.io"
    )
    port_api_tls_certificate: str = Field(
        "", description="PEM file of a client certificate, and its chain, for a gateway in front of the Port API"
    )
    port_api_tls_key: str = Field("", description="PEM file of its key; empty: in the file of the certificate")
    port_api_tls_key_password_file: str = Field("", description="File of the key's password, if it has one")

    # Ingest
    streamer_name: Literal["KAFKA", "POLLING"] = Field(
        "KAFKA", description="Where invocations come from; POLLING where Kafka is out of reach, see how-to/polling.md"
    )
    using_local_port_instance: bool = Field(
        False, description="Do not ask Port for Kafka credentials; the next setting names the brokers, no SASL user"
    )
    kafka_consumer_bootstrap_servers: str = Field(
        "", description="Comma list of brokers; required with USING_LOCAL_PORT_INSTANCE, otherwise an error"
    )
    kafka_consumer_group_id: str = Field(
        "",
        description="Consumer group; Port requires it to start with the organization id. Required with KAFKA; with "
        "POLLING it only names what is kept in Redis",
    )
    kafka_consumer_security_protocol: Annotated[str, AfterValidator(validators.security_protocol)] = Field(
        "plaintext", description="librdkafka's security.protocol; SASL_SSL for Port's cluster"
    )
    kafka_consumer_authentication_mechanism: str = Field(
        "none", description="librdkafka's sasl.mechanism; SCRAM-SHA-512 for Port's cluster"
    )
    kafka_consumer_ssl_certificate_location: str = Field(
        "", description="librdkafka's ssl.certificate.location: PEM file of a client certificate, and its chain"
    )
    kafka_consumer_ssl_key_location: str = Field(
        "", description="ssl.key.location: PEM file of its key; empty: in the file of the certificate"
    )
    kafka_consumer_ssl_key_password: str = Field(
        "", repr=False, description="ssl.key.password: the key's password, if it has one"
    )
    kafka_consumer_ssl_ca_location: str = Field(
        "", description="ssl.ca.location: PEM file of the only CAs to trust at the brokers; empty: SSL_CERT_FILE"
    )
    kafka_consumer_ssl_endpoint_identification_algorithm: Literal["https", "none"] = Field(
        "https", description="none: the broker's certificate may be for any name"
    )
    kafka_consumer_session_timeout_ms: Annotated[PositiveInt, Field(le=300_000)] = Field(
        10_000,
        description="session.timeout.ms of the consumer: after so long others take over what a killed ingest had; "
        "300000 at most",
    )
    kafka_consumer_auto_offset_reset: Annotated[str, AfterValidator(validators.offset_reset)] = Field(
        "earliest", description="Where a group without committed offsets begins: earliest or largest (latest)"
    )
    kafka_runs_topic: str = Field("", description="Topic of action runs and node runs; empty: <PORT_ORG_ID>.runs")
    kafka_change_log_topic: str = Field("", description="Topic of change log events; empty: <PORT_ORG_ID>.change.log")
    kafka_batch_size: Annotated[PositiveInt, Field(le=1_000_000)] = Field(
        500, description="Messages taken from Kafka and stored in one call, at most"
    )
    commit_delay_s: Factor = Field(
        3,
        description="Seconds by which commits, or acknowledgements of polled runs, trail the ledger; more than the "
        "second Redis may lose in a crash",
    )
    commit_mode: Annotated[Literal["trail", "finished"] | None, EmptyIsNone] = Field(
        None,
        description="Commit what the ledger has stored, or only what is finished, for a Redis that is not persistent; "
        "empty: finished where `longshore run` brings its own Redis without LONGSHORE_DATA, otherwise trail",
    )
    redis_wait_replicas: NonNegativeInt = Field(
        0, description="Replicas of Redis that must have an invocation before its source hears that we have it"
    )
    message_max_bytes: PositiveInt = Field(
        16_777_216, description="A larger message is not parsed; it becomes a dead letter without its payload"
    )
    polling_interval_seconds: NonNegativeInt = Field(10, description="Sleep between polls that were not full")
    polling_runs_batch_size: PositiveInt = Field(100, description="Runs claimed in one poll, at most")
    polling_initial_backoff_seconds: NonNegativeInt = Field(1, description="First sleep after a failed poll")
    polling_backoff_factor: Factor = Field(2.0, description="Growth of that sleep")
    polling_max_backoff_seconds: NonNegativeInt = Field(300, description="Its ceiling, before jitter")
    polling_backoff_jitter_factor: Factor = Field(0.1, description="Adds up to this share of the sleep at random")
    polling_max_failure_duration_seconds: NonNegativeInt = Field(
        3600, description="Stop after failing this long without one good poll"
    )
    backlog_limit: PositiveInt = Field(100_000, description="Unfinished invocations above which ingest pauses")
    redis_memory_limit_ratio: Ratio = Field(
        0.8, description="Part of Redis's maxmemory (0 to 1) above which ingest pauses"
    )
    unmatched_node_runs: Literal["ignore", "fail"] = Field(
        "ignore", description="Node runs that no mapping matches: left to other agents of the topic, or reported FAILED"
    )

    # Mapping and webhooks
    control_the_payload_config_path: Annotated[Path | None, EmptyIsNone] = Field(
        None,
        description="Mapping file; empty: ./control_the_payload_config.json if it exists, otherwise the built-in one",
    )
    mapping_sees_secrets: bool = Field(
        False, description="Let mapping expressions read the client secret, broker and Redis addresses as env.NAME"
    )
    webhook_invoker_timeout: Seconds = Field(30, description="Seconds for connecting, and for each read of the answer")
    webhook_total_timeout: Annotated[Seconds | None, EmptyIsNone] = Field(
        None, description="Seconds for the whole request; empty: ten times WEBHOOK_INVOKER_TIMEOUT"
    )
    webhook_verify_ssl: bool = Field(
        True, description="Check the certificates of webhooks; that of the Port API is always checked"
    )
    webhook_allow: Annotated[str, AfterValidator(validators.host_patterns)] = Field(
        "",
        description="The only hosts, *.domains, addresses and networks that are called, with :port or without; "
        "empty: all",
    )
    webhook_deny: Annotated[str, AfterValidator(validators.host_patterns)] = Field(
        "", description="The same, never called; metadata services, our Redis and Kafka are denied unless allowed"
    )
    idempotency_header: Annotated[str, AfterValidator(validators.header_name)] = Field(
        "Idempotency-Key",
        description="Header with the invocation's id, by which targets recognise repeats; empty: none",
    )
    standard_webhooks_secret: Annotated[str, AfterValidator(validators.webhook_secret)] = Field(
        "",
        repr=False,
        description="whsec_ and base64: signs by Standard Webhooks too, see how-to/verify-requests.md; empty: not",
    )
    standard_webhooks_secret_previous: Annotated[str, AfterValidator(validators.webhook_secret)] = Field(
        "", repr=False, description="The secret before a rotation: requests carry both signatures"
    )
    response_max_bytes: PositiveInt = Field(1_048_576, description="Bytes of a target's answer that are read, at most")
    response_keep_bytes: NonNegativeInt = Field(4096, description="Bytes of it that are kept in the attempt history")

    # Retries and limits
    retry_max_attempts: Annotated[PositiveInt | None, EmptyIsNone] = Field(
        None, description="Attempts in all; empty: 8 for runs, 15 for change log events"
    )
    retry_base_s: Annotated[Seconds | None, EmptyIsNone] = Field(
        None, description="Longest first wait, in seconds; each later one is three times longer; empty: 10"
    )
    retry_max_s: Annotated[Seconds | None, EmptyIsNone] = Field(
        None, description="Longest wait of all, in seconds; empty: 1200 for runs, 14400 for change log events"
    )
    retry_max_age_s: Annotated[Seconds | None, EmptyIsNone] = Field(
        None, description="Seconds from first to last attempt; empty: 3600 for runs, 86400 for change log events"
    )
    unknown_outcome: Annotated[Literal["park", "retry"] | None, EmptyIsNone] = Field(
        None, description="Sent but never answered: keep for a person to decide, or send again; empty: by kind"
    )
    target_rate: Factor = Field(0, description="Requests per second to one target; 0: no limit")
    target_concurrency: PositiveInt = Field(100, description="Requests in flight to one target, at most")
    lane_concurrency: PositiveInt = Field(50, description="Requests in flight for one action of a target, at most")
    limits_file: Annotated[Path | None, EmptyIsNone] = Field(
        None, description="JSON file with rate and concurrency by host pattern; the mapping and operators overrule it"
    )
    targets_file: Annotated[Path | None, EmptyIsNone] = Field(
        None, description="JSON file with TLS options and credentials by host pattern; the mapping overrules it"
    )
    breaker_failures: PositiveInt = Field(5, description="Faults in a row after which a target or a lane is left alone")
    breaker_open_s: Seconds = Field(5, description="Seconds it is left alone at first; doubled when the probe fails")
    breaker_max_open_s: Seconds = Field(60, description="Seconds it is left alone at most")

    # Workers
    worker_slots: PositiveInt = Field(1000, description="Requests in flight in one worker process, at most")
    worker_processes: PositiveInt = Field(1, description="Worker processes of `longshore run`; one per CPU core")
    worker_hung_limit: NonNegativeInt = Field(
        10, description="A worker process with more requests than this stuck far beyond their deadline is restarted"
    )
    lease_s: Annotated[Seconds, AfterValidator(validators.lease)] = Field(
        12, description="Seconds after which the work of a worker that died is dispatched again; 8 or more"
    )
    pump_interval_s: Seconds = Field(0.2, description="How often each worker looks for what may start now")
    drain_s: Annotated[Factor | None, EmptyIsNone] = Field(
        None, description="Seconds that requests in flight get to end at shutdown; empty: WEBHOOK_INVOKER_TIMEOUT + 3"
    )
    worker_events: bool = Field(False, description="Send Celery's events; Flower switches them on itself")

    # Reports and what is kept
    detailed_logging: bool = Field(True, description="Put targets' answers into log lines and into texts sent to Port")
    port_api_rate: Factor = Field(
        40,
        description="Calls to the Port API per second, of the whole fleet; 0: no limit. Reports beyond it wait; once "
        "they are a minute late, run logs are dropped, statuses never",
    )
    report_delay_s: Factor = Field(
        3, description="Seconds that run logs wait for others, so that one call carries them all"
    )
    wait_estimate_after_s: Factor = Field(
        60,
        description="Seconds a run waits for its target before its log in Port says how many are ahead and "
        "estimates the wait; 0: never",
    )
    keep_done_s: PositiveInt = Field(86_400, description="Seconds that delivered invocations are kept")
    keep_payload_s: PositiveInt = Field(3_600, description="Seconds that delivered invocations can be replayed")
    keep_dead_s: PositiveInt = Field(1_209_600, description="Seconds that dead letters and unknowns are kept")
    keep_dead_count: PositiveInt = Field(
        100_000, description="Dead letters that are kept at most, and unknowns as many; the oldest go first"
    )
    history_attempts: PositiveInt = Field(20, description="Attempts in the history of an invocation, at most")

    # The installation
    redis_url: Annotated[str, AfterValidator(validators.redis_url)] = Field(
        "", repr=False, description="redis://, rediss://, unix:// or sentinel://; empty: `longshore run` brings its own"
    )
    redis_password: str = Field(
        "", repr=False, description="Password of Redis, as it is, where REDIS_URL has none; there it is percent-encoded"
    )
    redis_tls: bool = Field(False, description="TLS to Redis, as with rediss://, for sentinel:// addresses")
    redis_master_name: str = Field("mymaster", description="Name of the primary that the sentinels of REDIS_URL watch")
    redis_sentinel_username: str = Field("", description="User name for the sentinels themselves, if they require one")
    redis_sentinel_password: str = Field(
        "", repr=False, description="Password for the sentinels themselves, if they require one"
    )
    redis_sentinel_tls: bool = Field(False, description="TLS to the sentinels")
    longshore_data: Annotated[Path | None, EmptyIsNone] = Field(
        None, description="Folder of the embedded Redis; empty: a temporary one, which is lost with the container"
    )
    longshore_profile: Literal["standard", "small"] = Field(
        "standard",
        description="small: defaults that fit a whole agent into 256 MB and 200m CPU, see how-to/helm.md",
    )
    longshore_ca_dir: Annotated[Path, BeforeValidator(lambda value: value or CA_FOLDER)] = Field(
        CA_FOLDER, description="Folder with certificates to trust besides the public ones: .crt, .pem, .cer"
    )
    longshore_ca_bundle: Annotated[Path, BeforeValidator(bundle_path)] = Field(
        CA_BUNDLE, description="File that all trusted certificates are written to at start, and when they change"
    )
    longshore_ca_check_s: Seconds = Field(30, description="Seconds between two checks for changed certificates")
    log_level: Annotated[str, AfterValidator(validators.log_level)] = Field(
        "INFO", description="Name of a Python log level"
    )
    metrics_port: Port = Field(
        0, description="Port of /metrics, /livez and /readyz; `longshore run` has one for all its programs; 0: none"
    )
    metrics_address: str = Field("", description="Address that METRICS_PORT listens at; empty: all, IPv4 and IPv6")
    metrics_targets: PositiveInt = Field(50, description="Targets with a name in metrics, at most; others are `other`")
    liveness_s: Seconds = Field(
        30, description="Seconds without progress, though there is something to do, after which /livez says so"
    )
    flower_port: Port = Field(5555, description="Port of Flower")
    flower_address: str = Field(
        "127.0.0.1", description="Address Flower listens at; other than loopback needs a login, see how-to/flower.md"
    )
    flower_insecure: bool = Field(False, description="Let Flower listen at any address without a login of its own")
    flower_operators: str = Field(
        "",
        description="Who may change things in Flower: list of user names, e-mail addresses, group:<name>; empty: "
        "everybody who is not in FLOWER_VIEWERS",
    )
    flower_viewers: str = Field(
        "",
        description="Who only sees its pages, the same; empty: everybody else. With both set, others do not get in",
    )
    flower_oidc_issuer: Annotated[str, AfterValidator(validators.optional_base_url)] = Field(
        "",
        description="Address of a provider of OpenID Connect by which people log in to Flower, e.g. "
        "https://login.acme.io/realms/acme; empty: none",
    )
    flower_oidc_scopes: str = Field(
        "openid email", description="What is asked of it; many providers tell groups only if `groups` is asked for"
    )
    flower_oidc_groups_claim: str = Field("groups", description="Claim of the provider that lists a user's groups")
    flower_hosts: Annotated[str, AfterValidator(validators.host_names)] = Field(
        "", description="Host names of Flower, comma list; without a login it answers to no other, see how-to/flower.md"
    )
    flower_forwarded_host: bool = Field(
        False, description="Take the host from X-Forwarded-Host, where a proxy in front of Flower always sets it"
    )

    # Notifications
    notify_urls: Annotated[str, AfterValidator(validators.notify_urls)] = Field(
        "",
        repr=False,
        description="Where people are told of what needs them: URLs of apprise, with spaces or commas between them; "
        "empty: nobody is told, see how-to/notifications.md",
    )
    notify_on: Annotated[str, AfterValidator(validators.notification_kinds)] = Field(
        ",".join(sorted(NotificationKind)), description="Of what they are told, comma list of these four; empty: all"
    )
    notify_interval_s: Seconds = Field(300, description="Seconds between two messages to one URL, at least")
    notify_silence_s: Seconds = Field(
        300,
        description="Seconds without a worker, without an ingest that can read, or that an invocation or a report to "
        "Port is overdue, before people are told",
    )
    flower_public_url: Annotated[str, AfterValidator(validators.optional_base_url)] = Field(
        "", description="Flower's address for people, with its URL prefix: links in notifications lead there"
    )


SECRETS = frozenset(name for name, field in SettingFields.model_fields.items() if not field.repr)
"""Fields whose value is never shown."""
