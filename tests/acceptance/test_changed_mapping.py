"""The mapping file is changed beside a running agent: ingest and worker go by it, and a wrong one changes nothing."""

import json
from pathlib import Path

from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.monitored import Monitored
from tests.support.programs import SETTINGS, eventually
from tests.support.whole_agent import start_agent


def test_a_changed_mapping_is_in_force_without_a_restart(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Ingest routes by it, which decides whose an invocation is; a worker makes its request by it."""
    pages = Monitored()
    file = tmp_path / "agent" / "control_the_payload_config.json"

    def put(content: str) -> None:
        (new := file.with_suffix(".new")).write_text(content)
        new.replace(file)

    def of(prefix: str) -> str:
        enabled = f'.context.runId | startswith("{prefix}")'
        return json.dumps([{"enabled": enabled, "headers": {"X-Mapping": f'"{prefix}"'}}])

    with (
        FakePort(client_id=SETTINGS["PORT_CLIENT_ID"], client_secret=SETTINGS["PORT_CLIENT_SECRET"]) as port,
        FakeTargets() as targets,
    ):
        agent = start_agent(tmp_path / "agent", kafka, port, json.loads(of("r_old")), **pages.environ)
        publisher = RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"])

        def publish(*ids: str) -> None:
            for id in ids:
                message = action_run(id, targets.url("good"))
                publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), id)

        try:
            pages.says("/readyz", True)
            publish("r_new_0", "r_old_1")
            eventually(lambda: targets.received("r_old_1"), "the older file holds")
            put("{")
            pages.reaches(0, "longshore_mapping_valid")
            eventually(lambda: "is refused" in pages.get("/readyz").text, "it is told why")
            assert pages.get("/readyz").json()["ok"]
            publish("r_old_2")
            eventually(lambda: targets.received("r_old_2"), "it still holds")
            put(of("r_new"))
            pages.reaches(2, "longshore_mapping_valid")
            eventually(lambda: "is refused" not in pages.get("/readyz").text, "nothing is refused")
            publish("r_old_3", "r_new_4")
            eventually(lambda: targets.received("r_new_4"), "the new file holds")
        finally:
            agent.close()
        headers = {id: targets.received(id) for id in ("r_old_1", "r_old_2", "r_old_3", "r_new_0", "r_new_4")}

    sent = {id: received[0].headers["x-mapping"] for id, received in headers.items() if received}
    assert {"r_old_1": "r_old", "r_old_2": "r_old", "r_new_4": "r_new"} == sent
