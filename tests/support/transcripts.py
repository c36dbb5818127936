"""The recorded transcripts of the original agent, each with a run id and a path of its own."""

import json
from pathlib import Path
from typing import Any

from longshore.sandbox.publisher import as_text, text_of

SCENARIOS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "transcripts.json").read_text())[
    "scenarios"
]
NAMES = [scenario["name"] for scenario in SCENARIOS]


def run_id_of(scenario: dict[str, Any]) -> str:
    """The recorded id is the same for many: the scenario's name makes it its own."""
    recorded = scenario["message"].get("context", {}).get("runId", "")
    return f"{recorded}_{scenario['name']}" if recorded else ""


def message_of(scenario: dict[str, Any], origin: str, nobody: str) -> dict[str, Any]:
    """The recorded message with our own id and a target that exists."""
    message: dict[str, Any] = json.loads(json.dumps(scenario["message"]))
    if run_id := run_id_of(scenario):
        message["context"]["runId"] = run_id
    methods = [
        message.get("payload", {}).get("action", {}).get("invocationMethod"),
        message.get("changelogDestination"),
    ]
    for method in methods:
        if method is not None and "url" in method:
            method["url"] = f"{nobody if scenario['name'] == 'connection_refused' else origin}/{scenario['name']}"
    return message


def value_of(scenario: dict[str, Any], message: dict[str, Any], secret: str) -> bytes:
    """The Kafka value of `message`, signed as the scenario says."""
    if scenario["topic"] != "runs":
        return text_of(message)
    headed = message if "GITLAB" in json.dumps(message) else {**message, "headers": {}}
    return as_text(headed, secret if scenario["signature"] == "valid" else "not the secret")
