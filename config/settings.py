"""The settings of one agent, frozen once loaded, and what follows from them; `setting_fields` has them one by one.

`load` reads the process environment and a `.env` file and reports all that is wrong in one `ConfigProblems`.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr, ValidationError

from config import cross_field_checks, small_profile
from config.environment import find_advice, read_environment
from config.roles import Role
from config.secret_files import FLOWER_SECRETS, read_secret_files
from config.setting_fields import SECRETS, SettingFields
from config.url_credentials import PROXIES, credentials_of
from config.validation_messages import describe_errors
from longshore.delivery.policy import DEFAULTS, RetryPolicy
from longshore.delivery.request_identity import RequestIdentity
from longshore.delivery.standard_webhooks import PREFIX, WebhookSigner
from longshore.errors import ConfigProblems
from longshore.invocation.kinds import Kind
from longshore.ledger.address import Address, parse
from longshore.network.tls import Tls
from longshore.notification.urls import secrets_of, split_urls

DEFAULT_MAPPING_FILE = Path("control_the_payload_config.json")

NOT_FOR_MAPPINGS = frozenset({*map(str.upper, SECRETS), "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", *FLOWER_SECRETS})
"""Variables that mapping expressions do not see as `env.NAME`: a mapping could send them anywhere."""


class Settings(SettingFields):
    """The settings of one agent, the same in each of its programs."""

    _environ: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def port_tls(self) -> Tls:
        """Which certificate the Port API is shown."""
        return Tls(
            certificate=self.port_api_tls_certificate,
            key=self.port_api_tls_key,
            key_password_file=self.port_api_tls_key_password_file,
        )

    @property
    def namespace(self) -> str:
        """The prefix of everything of this agent in Redis and Celery: two agents may share one Redis.

        A group that is set names it in both modes, so that a switch from one to the other leaves nothing behind.
        """
        return f"{self.port_org_id}/{self.kafka_consumer_group_id or 'polling'}"

    @property
    def is_polling(self) -> bool:
        """Whether runs are claimed from Port's API instead of read from Kafka."""
        return self.streamer_name == "POLLING"

    @property
    def redis(self) -> Address:
        """The address in REDIS_URL, which is set, with the settings that belong to it."""
        return parse(
            self.redis_url,
            self.redis_master_name,
            password=self.redis_password,
            tls=self.redis_tls,
            sentinel_username=self.redis_sentinel_username,
            sentinel_password=self.redis_sentinel_password,
            sentinel_tls=self.redis_sentinel_tls,
        )

    @property
    def has_small_profile(self) -> bool:
        """Whether LONGSHORE_PROFILE is `small`; what that means besides defaults is in `small_profile`."""
        return self.longshore_profile == "small"

    @property
    def runs_topic(self) -> str:
        """The topic of action runs and node runs in effect."""
        return self.kafka_runs_topic or f"{self.port_org_id}.runs"

    @property
    def change_log_topic(self) -> str:
        """The topic of change log events in effect."""
        return self.kafka_change_log_topic or f"{self.port_org_id}.change.log"

    @property
    def total_timeout_s(self) -> float:
        """Seconds one webhook request may take in all."""
        return self.webhook_total_timeout or 10 * self.webhook_invoker_timeout

    @property
    def commits_finished(self) -> bool:
        """Whether commits wait for what is finished, because the ledger is not persistent."""
        return self.commit_mode == "finished" and not self.is_polling

    @property
    def drain_grace_s(self) -> float:
        """Seconds that requests in flight get to end at shutdown."""
        return self.webhook_invoker_timeout + 3 if self.drain_s is None else self.drain_s

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client secret, and the one before it if there is one: what verifies, decrypts and unseals."""
        return tuple(secret for secret in (self.port_client_secret, self.port_client_secret_previous) if secret)

    @property
    def secrets_to_mask(self) -> tuple[str, ...]:
        """What every output must mask: client secrets, passwords of Redis, sentinels, proxies, keys, NOTIFY_URLS."""
        proxies = (self._environ.get(name, "") for name in PROXIES)
        parts = (part for url in (*self.redis_url.split(";"), *proxies) for part in credentials_of(url))
        webhooks = (key for secret in self._webhook_secrets for key in (secret, secret.removeprefix(PREFIX)))
        notify = secrets_of(split_urls(self.notify_urls))
        passwords = self.kafka_consumer_ssl_key_password, self.redis_password, self.redis_sentinel_password
        secrets = (*self.secrets, *webhooks, *passwords, *parts, *notify)
        return tuple(dict.fromkeys(filter(None, secrets)))

    @property
    def request_identity(self) -> RequestIdentity:
        """By what targets recognise repeats, where a mapping does not say otherwise."""
        return RequestIdentity(self.idempotency_header, has_standard_webhooks=bool(self.standard_webhooks_secret))

    @property
    def webhook_signer(self) -> WebhookSigner | None:
        """What signs by Standard Webhooks, if there is a secret for it."""
        return WebhookSigner(self._webhook_secrets) if self.standard_webhooks_secret else None

    @property
    def _webhook_secrets(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.standard_webhooks_secret, self.standard_webhooks_secret_previous)))

    @property
    def mapping_path(self) -> Path | None:
        """The mapping file in effect; None is the built-in mapping."""
        if self.control_the_payload_config_path is not None:
            return self.control_the_payload_config_path
        return DEFAULT_MAPPING_FILE if DEFAULT_MAPPING_FILE.is_file() else None

    def mapping_env(self) -> dict[str, str]:
        """What mapping expressions see as `env`: the process environment as it was at start, without our secrets.

        An empty GITLAB_URL is left out: the built-in mapping has an address for where it is not set.
        """
        hidden = frozenset[str]() if self.mapping_sees_secrets else NOT_FOR_MAPPINGS
        if not self._environ.get("GITLAB_URL"):
            hidden |= {"GITLAB_URL"}
        return {name: value for name, value in self._environ.items() if name not in hidden}

    def retry_policy(self, kind: Kind) -> RetryPolicy:
        """When `kind` is tried again and when it is given up; a setting that is set holds for all kinds."""
        chosen = {
            "max_attempts": self.retry_max_attempts,
            "base_s": self.retry_base_s,
            "max_s": self.retry_max_s,
            "max_age_s": self.retry_max_age_s,
            "unknown_outcome": self.unknown_outcome,
        }
        overrides: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        return dataclasses.replace(DEFAULTS[kind], **overrides)


def load(environ: Mapping[str, str] | None = None, role: Role | None = Role.RUN) -> Settings:
    """Read and check the settings that `role` needs; raises `ConfigProblems` with everything that is wrong.

    `role` None is a command that starts nothing and requires none of them. `environ` None means the process
    environment, and below it a `.env` file; otherwise it is taken as it is.
    """
    values, file_problems = read_secret_files(read_environment() if environ is None else environ)
    texts = cross_field_checks.without_unused(
        small_profile.with_defaults(
            {name: values[name.upper()] for name in Settings.model_fields if name.upper() in values}
        )
    )
    problems = [
        *file_problems,
        *(cross_field_checks.find_problems(texts, values, role) if role is not None else ()),
    ]
    try:
        settings = Settings.model_validate(texts)
    except ValidationError as error:
        raise ConfigProblems([*describe_errors(error, secret=SECRETS), *problems], _notes(values)) from None
    if problems:
        raise ConfigProblems(problems, _notes(values))
    settings._environ.update(os.environ if environ is None else environ)
    return settings


def _notes(values: Mapping[str, str]) -> list[str]:
    """What may be behind a problem, such as a name with a slip in it."""
    return list(find_advice(values, {name.upper() for name in Settings.model_fields}))
