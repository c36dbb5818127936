"""What Port publishes: action runs, workflow node runs and change log events, signed as Port signs them.

Written from Port's side and on purpose without the agent's own code for reading and verifying, so that a mistake there
does not cancel itself out here.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

from longshore.sandbox.embedded_kafka import EmbeddedKafka, RecordPosition

JsonObject = dict[str, Any]


def action_run(
    run_id: Any,
    url: str,
    *,
    synchronized: bool = False,
    agent: bool = True,
    action: str = "deploy_service",
    method: str = "POST",
    properties: JsonObject | None = None,
) -> JsonObject:
    """A self-service action run that calls `url`; not signed yet."""
    invocation = {"type": "WEBHOOK", "agent": agent, "synchronized": synchronized, "method": method, "url": url}
    return _run(run_id, action, invocation, properties or {"env": "staging", "replicas": 3})


def gitlab_run(run_id: str, group: str, project: str) -> JsonObject:
    """An action run that triggers a GitLab pipeline."""
    invocation = {"type": "GITLAB", "agent": True, "groupName": group, "projectName": project, "defaultRef": "main"}
    return _run(run_id, "run_pipeline", invocation, {"env": "staging", "replicas": 3})


def node_run(run_id: str, url: str, *, synchronized: bool = True) -> JsonObject:
    """A workflow node run: the minimum that is certain to be in one."""
    invocation = {"type": "WEBHOOK", "agent": True, "synchronized": synchronized, "method": "POST", "url": url}
    return {"payload": {"action": {"invocationMethod": invocation}}, "context": {"runId": run_id}, "headers": {}}


def change_log_event(url: str, entity: str, *, agent: bool = True) -> JsonObject:
    """A change of an entity in the catalog, to be told to `url`. Never signed."""
    return {
        "action": "UPDATE",
        "resourceType": "entity",
        "status": "SUCCESS",
        "trigger": _trigger("API"),
        "context": {"entity": entity, "blueprint": "service"},
        "diff": {
            "before": {"identifier": entity, "properties": {"tier": "2"}},
            "after": {"identifier": entity, "properties": {"tier": "1"}},
        },
        "changelogDestination": {"type": "WEBHOOK", "agent": agent, "url": url},
    }


def signed(message: JsonObject, secret: str, at: float | None = None) -> JsonObject:
    """`message` with Port's signature in its `headers`, which must be its last key (or missing, for GitLab).

    The signature covers the compact text of the message as it was before the two headers were added (wire contract,
    signature rule). `at` is the time of signing in epoch seconds, now by default.
    """
    timestamp = int(time.time() if at is None else at)
    digest = hmac.digest(secret.encode(), f"{timestamp}.".encode() + text_of(message), "sha256")
    headers = {"X-Port-Signature": "v1," + base64.b64encode(digest).decode(), "X-Port-Timestamp": timestamp}
    return {**message, "headers": {**message.get("headers", {}), **headers}}


def text_of(message: JsonObject) -> bytes:
    """`message` as JavaScript's `JSON.stringify` prints it: compact, non-ASCII raw."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def as_text(message: JsonObject, secret: str) -> bytes:
    """The Kafka value of a signed message."""
    return text_of(signed(message, secret))


class RecordPublisher:
    """Port's end of Kafka for one organization: writes to the two topics it has."""

    def __init__(self, kafka: EmbeddedKafka, organization: str) -> None:
        self.kafka = kafka
        self.runs_topic, self.change_log_topic = topics(organization)

    def run(self, value: bytes | None, run_id: str) -> RecordPosition:
        """Publish to the runs topic; copies of one run keep their order."""
        return self.kafka.publish(self.runs_topic, value, run_id.encode())

    def change(self, value: bytes | None) -> RecordPosition:
        """Publish to the change log topic."""
        return self.kafka.publish(self.change_log_topic, value)


def topics(organization: str) -> tuple[str, str]:
    """The names of an organization's runs and change log topics."""
    return f"{organization}.runs", f"{organization}.change.log"


def _run(run_id: Any, action: str, invocation: JsonObject, properties: JsonObject) -> JsonObject:
    message = {
        "action": action,
        "resourceType": "run",
        "status": "TRIGGERED",
        "trigger": _trigger("UI"),
        "context": {"entity": "checkout", "blueprint": "service", "runId": run_id},
        "payload": {
            "entity": {"identifier": "checkout", "title": "Checkout", "blueprint": "service", "team": ["core"]},
            "action": {"identifier": action, "title": action.replace("_", " "), "invocationMethod": invocation},
            "properties": properties,
            "censoredProperties": [],
        },
    }
    # Of a GitLab invocation the whole `headers` key is taken out before the check, so it is not there when signing.
    return message if invocation["type"] == "GITLAB" else {**message, "headers": {}}


def _trigger(origin: str) -> JsonObject:
    user = {"email": "dana@example.com", "firstName": "Dana", "lastName": "Levi"}
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return {"by": {"orgId": "sandbox", "userId": "auth0|dana", "user": user}, "origin": origin, "at": now}


def polling_object(value: bytes) -> JsonObject:
    """The object that Port's polling API gives out in place of a Kafka value of the runs topic."""
    message: JsonObject = json.loads(value)
    is_node = str(message["context"]["runId"]).startswith("wfnr_")
    return polling_node_run(message) if is_node else polling_run(message)


def polling_run(message: JsonObject) -> JsonObject:
    """The object that Port's polling API gives out for an action run: its message is the body configured in Port."""
    method = message["payload"]["action"]["invocationMethod"]
    body = {name: value for name, value in message.items() if name != "headers"}
    return {
        "id": message["context"]["runId"],
        "status": "IN_PROGRESS",
        "pendingExecution": True,
        "installationId": "_PORT_EXEC_AGENT",
        "payload": {"headers": {}, **method, "body": body},
    }


def polling_node_run(message: JsonObject) -> JsonObject:
    """The same for a workflow node run."""
    method = message["payload"]["action"]["invocationMethod"]
    return {"identifier": message["context"]["runId"], "status": "IN_PROGRESS", "config": dict(method)}
