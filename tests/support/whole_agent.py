"""A whole agent (`longshore run`) as a process beside an embedded Kafka and a fake Port, with its mapping file."""

import json
from pathlib import Path
from typing import Any

from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from tests.support.programs import SETTINGS, Program


def start_agent(folder: Path, kafka: EmbeddedKafka, port: FakePort, mapping: Any = None, **environ: str) -> Program:
    """An agent working in `folder`, which it is given for itself; ready when this returns.

    `mapping` is the content of its mapping file, None for the built-in mappings.
    """
    folder.mkdir(exist_ok=True)
    if mapping is not None:
        (folder / "control_the_payload_config.json").write_text(json.dumps(mapping))
    settings = SETTINGS | {
        "PORT_API_BASE_URL": port.url,
        "USING_LOCAL_PORT_INSTANCE": "true",
        "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
        "WEBHOOK_INVOKER_TIMEOUT": "10",
        "RETRY_BASE_S": "0.05",
        "RETRY_MAX_ATTEMPTS": "2",
        "REPORT_DELAY_S": "0.2",
        "WORKER_SLOTS": "20",
    }
    program = Program("run", folder=folder, **(settings | environ))
    program.says(events.WORKER_READY.name)
    return program
