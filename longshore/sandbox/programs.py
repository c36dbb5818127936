"""The agent's programs as the sandbox starts them: command lines and environment."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from longshore.invocation import mapping
from longshore.runtime.embedded_redis import HOST
from longshore.sandbox.fake_targets import FakeTargets, path_of
from longshore.sandbox.scenario import ATTEMPTS, GITLAB_GROUP, GITLAB_PROJECT, LIMITED_RATE

PROGRAMS = ("ingest", "worker", "flower")
ORGANIZATION = "sandbox"
GROUP = "sandbox.agent"
CLIENT_ID = "sandbox-client"
TIMEOUT_S = 2
"""Of webhooks: how long the hanging target keeps a row of the table waiting."""
TOTAL_TIMEOUT_S = 4
INHERITED = frozenset({"HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM", "TMPDIR", "TZ", "VIRTUAL_ENV"})
"""Of our environment, what children need. No more, so that the sandbox behaves alike everywhere."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the agent finds around itself."""

    secret: str = field(repr=False)
    port_url: str
    kafka: str
    """Its brokers; empty where the agent polls Port."""
    redis_url: str
    gitlab_url: str
    flower_port: int
    folder: Path


def environment(parts: Parts) -> dict[str, str]:
    """The environment of the agent's programs: a production one in miniature, with everything quick."""
    inherited = {name: value for name, value in os.environ.items() if name in INHERITED}
    return inherited | {
        "PORT_ORG_ID": ORGANIZATION,
        "PORT_CLIENT_ID": CLIENT_ID,
        "PORT_CLIENT_SECRET": parts.secret,
        "PORT_API_BASE_URL": parts.port_url,
        **_source(parts),
        "CONTROL_THE_PAYLOAD_CONFIG_PATH": str(write_mapping(parts.folder)),
        "GITLAB_URL": parts.gitlab_url,
        f"{GITLAB_GROUP}_{GITLAB_PROJECT}": "sandbox-trigger-token",
        "REDIS_URL": parts.redis_url,
        "WEBHOOK_INVOKER_TIMEOUT": str(TIMEOUT_S),
        "WEBHOOK_TOTAL_TIMEOUT": str(TOTAL_TIMEOUT_S),
        "RETRY_MAX_ATTEMPTS": str(ATTEMPTS),
        "RETRY_BASE_S": "0.3",
        "RETRY_MAX_S": "2",
        "BREAKER_OPEN_S": "1",
        "BREAKER_MAX_OPEN_S": "4",
        "REPORT_DELAY_S": "0.5",
        "DRAIN_S": "1",
        # Enough to look at what ended, little enough to let it run for days.
        "KEEP_DONE_S": "600",
        "KEEP_DEAD_S": "3600",
        "WORKER_SLOTS": "50",
        "WORKER_EVENTS": "true",
        "FLOWER_PORT": str(parts.flower_port),
        "FLOWER_ADDRESS": HOST,
        "NO_PROXY": HOST,
        # Elsewhere it would stay, or belong to another user of this machine.
        "LONGSHORE_CA_BUNDLE": str(parts.folder / "trusted.crt"),
    }


def _source(parts: Parts) -> dict[str, str]:
    if not parts.kafka:
        return {"STREAMER_NAME": "POLLING", "POLLING_INTERVAL_SECONDS": "1", "COMMIT_DELAY_S": "0.5"}
    return {
        "USING_LOCAL_PORT_INSTANCE": "true",
        "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": parts.kafka,
        "KAFKA_CONSUMER_GROUP_ID": GROUP,
        # The embedded broker makes a restarted ingest wait this long, less a second.
        "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
    }


def write_mapping(folder: Path) -> Path:
    """The mapping file of the sandbox: the built-in one, whose targets are called by the sample targets' names."""
    gitlab, webhook = json.loads(Path(mapping.__file__).with_name("default.json").read_text("utf-8"))
    entries = [{**gitlab, "delivery": {"target": "gitlab"}}]
    for name in FakeTargets.NAMES:
        limits = {"rate": LIMITED_RATE} if name == "limited" else {}
        is_for_it = f'{webhook["url"]} | strings | endswith("{path_of(name)}")'
        entries.append({**webhook, "enabled": is_for_it, "delivery": {"target": name, **limits}})
    path = folder / "mapping.json"
    path.write_text(json.dumps([*entries, webhook], indent=2), "utf-8")
    return path


def command(program: str) -> list[str]:
    """The command line of one of the agent's programs; -P, so that a `tasks.py` in the working directory is no harm."""
    return [sys.executable, "-P", "-m", "longshore.cli", program]
