"""A stand-in of the original agent, as a program: sends what the transcripts say that it sent, through HTTP_PROXY.

`python original_stand_in.py JOB`: a JSON file with `port`, `secret`, `gitlab` and `scenarios`, each with its `message`.
"""

import base64
import hmac
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests


def main(path: str) -> None:
    """Replay all scenarios, one after the other, as the original handles messages."""
    job = json.loads(Path(path).read_text())
    for scenario in job["scenarios"]:
        replay(scenario, job)


def replay(scenario: dict[str, Any], job: dict[str, Any]) -> None:
    """The recorded calls in their order; it stops where the original raised an error."""
    answer = None
    run_id = scenario["message"].get("context", {}).get("runId", "-")
    calls = list(scenario["original_calls"])
    if scenario["name"] == "connection_refused":
        calls.append("WEBHOOK POST")
    for call in calls:
        if isinstance(call, str):
            try:
                answer = invoke(scenario["message"], job)
            except requests.RequestException:
                return
            continue
        method, path, body = call
        token = {"clientId": "client", "clientSecret": job["secret"]}
        requests.post(f"{job['port']}/v1/auth/access_token", json=token).raise_for_status()
        path = path.replace(scenario["recorded_run"], run_id)
        headers = {"Authorization": "Bearer token-of-port", "User-Agent": "port-agent"}
        requests.request(method, job["port"] + path, json=worded(body, answer), headers=headers)


def invoke(message: dict[str, Any], job: dict[str, Any]) -> requests.Response:
    """The webhook by the built-in mapping, signed over the compact text and sent in another spelling."""
    method = message.get("payload", {}).get("action", {}).get("invocationMethod") or message["changelogDestination"]
    body: dict[str, Any] = message
    url = method.get("url", "")
    if method["type"] == "GITLAB":
        project = quote(f"{method['groupName']}/{method['projectName']}", safe="")
        url = f"{job['gitlab']}/api/v4/projects/{project}/trigger/pipeline"
        inputs = {name: text_of(value) for name, value in message["payload"]["properties"].items()}
        body = {
            "ref": message["payload"]["properties"].get("ref", method["defaultRef"]),
            "token": job["gitlab_token"],
            "variables": inputs or None,
            "port_payload": message,
        }
    elif "changelogDestination" not in message:
        body = {**message, "headers": {}}
    timestamp = str(int(time.time()))
    content = f"{timestamp}.{json.dumps(body, separators=(',', ':'))}".encode()
    digest = hmac.digest(job["secret"].encode(), content, "sha256")
    headers = {"X-Port-Signature": "v1," + base64.b64encode(digest).decode(), "X-Port-Timestamp": timestamp}
    return requests.request(method.get("method", "POST"), url, json=body, headers=headers, timeout=20)


def worded(body: Any, answer: requests.Response | None) -> Any:
    """A recorded body with words in place of what is free, which hold all that they must."""
    if isinstance(body, dict):
        if "$log" in body or "$contains" in body:
            words = " ".join(body.get("$contains", []))
            return f"{body.get('$log', '')} {words} in the original's own words {answer.text if answer else ''}"
        return {name: worded(item, answer) for name, item in body.items()}
    return [worded(item, answer) for item in body] if isinstance(body, list) else body


def text_of(value: Any) -> str:
    """A user input as GitLab gets it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1])
