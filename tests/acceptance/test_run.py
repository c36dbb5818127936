"""`longshore run`: the whole agent in one process tree, from Kafka to a target and back to Port."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import Behavior, FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, Program, eventually, longshore

PROGRAM = "longshore.cli.program"
"""The module as which a child of ours was started."""


class Agent:
    """A whole agent as a process, and what it talks to."""

    def __init__(self, kafka: EmbeddedKafka, port: FakePort, targets: FakeTargets, folder: Path) -> None:
        self.port, self.targets, self.folder = port, targets, folder
        self.publisher = RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"])
        self.environ = SETTINGS | {
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
            "WEBHOOK_INVOKER_TIMEOUT": "10",
            "REPORT_DELAY_S": "0.2",
            "WORKER_SLOTS": "20",
        }
        self.programs: list[Program] = []

    def start(self, **environ: str) -> Program:
        """The agent, with its worker ready."""
        program = Program("run", folder=self.folder, **self.environ, **environ)
        self.programs.append(program)
        program.says(events.WORKER_READY.name)
        return program

    def send(self, run_id: str, target: str, *, synchronized: bool = False) -> None:
        """Publish a signed action run for a sample target."""
        message = action_run(run_id, self.targets.url(target), synchronized=synchronized)
        self.publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), run_id)

    def delivered(self, run_id: str) -> None:
        """Wait until a target has received `run_id`."""
        eventually(lambda: self.targets.received(run_id), f"delivery of {run_id}")


def tree_of(program: Program) -> dict[str, psutil.Process]:
    """The living children of an agent by name: ingest, worker or redis-server."""
    found = {}
    for child in psutil.Process(program.process.pid).children():
        try:
            words = child.cmdline()
            found[words[words.index(PROGRAM) + 1] if PROGRAM in words else child.name()] = child
        except psutil.Error:
            continue  # it has just died
    return found


@pytest.fixture
def agent(kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Agent]:
    """An agent to be started by the test."""
    ours = (SETTINGS["PORT_CLIENT_ID"], SETTINGS["PORT_CLIENT_SECRET"])
    with (
        FakePort(client_id=ours[0], client_secret=ours[1]) as port,
        FakeTargets(behavior=Behavior(slow_s=2)) as targets,
    ):
        made = Agent(kafka, port, targets, tmp_path)
        yield made
        for program in made.programs:
            program.close()


def test_a_run_goes_from_kafka_to_its_target_and_port_hears_of_it(agent: Agent) -> None:
    """With nothing but Kafka and Port outside: Redis is its own."""
    agent.start()
    agent.send("r_1", "good", synchronized=True)
    agent.delivered("r_1")

    eventually(lambda: agent.port.runs.get("r_1") and agent.port.runs["r_1"].state == "SUCCESS", "SUCCESS at Port")
    assert 1 == len(agent.targets.received("r_1"))
    assert not agent.port.violations


def test_its_programs_start_side_by_side(agent: Agent) -> None:
    """Redis first, as all ask it; and nobody waits until another is ready, as each takes a second or more."""
    lines = agent.start().log().splitlines()
    starts = [number for number, line in enumerate(lines) if f"event={events.CHILD_STARTED.name} " in line]
    first_word = next(number for number, line in enumerate(lines) if " program=" in line)

    assert ["redis", "worker-1", "ingest"] == [lines[number].split("child=")[1].split()[0] for number in starts]
    assert max(starts) < first_word


def test_it_ends_with_0_when_told_and_leaves_nothing(agent: Agent) -> None:
    """No process, no temporary folder; and it has said that what it kept does not last."""
    program = agent.start()
    tree = tree_of(program)
    assert {"ingest", "worker", "redis-server"} == set(tree)
    data = Path(tree["redis-server"].cwd())

    assert 0 == program.stop()
    assert not [name for name, child in tree.items() if child.is_running()]
    assert not data.exists()
    assert events.REDIS_NOT_PERSISTENT.name in program.log()
    assert events.CHILD_KILLED.name not in program.log()


def test_a_request_in_flight_ends_before_the_agent_does(agent: Agent) -> None:
    """Stopping in the middle of a delivery neither cuts it off nor repeats it later."""
    program = agent.start(LONGSHORE_DATA=str(agent.folder / "data"))
    agent.send("r_1", "slow")
    agent.delivered("r_1")

    assert 0 == program.stop()
    assert events.CHILD_KILLED.name not in program.log()
    program = agent.start(LONGSHORE_DATA=str(agent.folder / "data"))
    agent.send("r_2", "good")
    agent.delivered("r_2")
    assert 1 == len(agent.targets.received("r_1"))
    assert 0 == program.stop()


@pytest.mark.parametrize("name", ["ingest", "worker", "redis-server"])
def test_whatever_dies_comes_back(agent: Agent, name: str) -> None:
    """Nobody has to restart anything, and it is said."""
    program = agent.start()
    victim = tree_of(program)[name]
    victim.send_signal(signal.SIGKILL)
    eventually(lambda: tree_of(program).get(name, victim).pid != victim.pid, f"a new {name}")
    agent.send("r_1", "good")

    agent.delivered("r_1")
    assert "killed by SIGKILL" in program.log()


def test_data_in_a_folder_outlast_the_agent(agent: Agent) -> None:
    """What was accepted before a crash of everything is delivered after it, in whatever moment the crash came."""
    folder = str(agent.folder / "data")
    # The crash may come before the first answer is written down: then the outcome is unknown, and here to be retried.
    agent.environ |= {"RETRY_BASE_S": "3", "LEASE_S": "8", "UNKNOWN_OUTCOME": "retry"}
    program = agent.start(LONGSHORE_DATA=folder)
    agent.send("r_1", "flaky")
    agent.delivered("r_1")
    program.process.kill()
    program.process.wait()
    agent.start(LONGSHORE_DATA=folder)

    eventually(lambda: len(agent.targets.received("r_1")) > 1, "a retry by the next agent")
    assert events.REDIS_NOT_PERSISTENT.name not in program.log()


def test_two_agents_do_not_share_a_folder(agent: Agent) -> None:
    """Two Redis processes would ruin the file they both append to."""
    folder = str(agent.folder / "data")
    agent.start(LONGSHORE_DATA=folder)
    second = longshore("run", folder=agent.folder, **agent.environ, LONGSHORE_DATA=folder)

    assert 78 == second.returncode
    assert "is in use by another agent" in second.stderr


def test_a_folder_that_cannot_be_written_to_is_a_wrong_setting(agent: Agent) -> None:
    """Said at the start, with the name of the variable."""
    (agent.folder / "file").touch()
    done = longshore("run", folder=agent.folder, **agent.environ, LONGSHORE_DATA=str(agent.folder / "file" / "data"))

    assert 78 == done.returncode
    assert "LONGSHORE_DATA: " in done.stderr
