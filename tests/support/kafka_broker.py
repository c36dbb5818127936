"""A real Kafka broker (KRaft, one node) from its Maven artifact, for the tests an imitation cannot answer.

Needs Java 17 and, the first time, Maven: the jars are copied into `.cache/kafka` of the repository and kept there.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from longshore.runtime.embedded_redis import HOST, free_port
from tests.support.certificates import Authority
from tests.support.programs import eventually

POM = Path(__file__).with_name("kafka") / "pom.xml"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
MAVEN_TIMEOUT_S = 300
START_TIMEOUT_S = 180
"""It is ready in 3 to 6 s, and once was not in 60 on a busy machine. Only a failing test waits this long."""
CLUSTER_ID = "TG9uZ3Nob3JlVGVzdEthZg"
"""Any 16 bytes in URL-safe base64."""
JAVA = ("java", "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A small heap, and no compiler threads that would outlast the tests."""


class BrokerFailed(Exception):
    """The broker could not be had: names the step and the end of its output."""


def missing_programs() -> list[str]:
    """Which of the programs a real broker needs are not installed; Maven only counts until its jars are cached."""
    needed = ["java"] if jar_folder().is_dir() else ["java", "mvn"]
    return [program for program in needed if shutil.which(program) is None]


def jar_folder() -> Path:
    """Where the jars of the present pom are kept; another pom gets another folder."""
    return CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def jars() -> Path:
    """The folder of the broker's jars, copied with Maven when it is not there yet; raises `BrokerFailed`."""
    folder = jar_folder()
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    # Copied beside and renamed, so that an interrupted copy is never taken for a whole one.
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=CACHE))
    goal = f"{DEPENDENCY_PLUGIN}:copy-dependencies"
    command = ["mvn", "-q", "-B", "-f", str(POM), goal, f"-DoutputDirectory={unfinished}", "-DincludeScope=runtime"]
    maven = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_TIMEOUT_S, check=False)
    if maven.returncode:
        shutil.rmtree(unfinished)
        raise BrokerFailed(f"Maven could not copy the broker's jars:\n{(maven.stdout + maven.stderr)[-2000:]}")
    unfinished.rename(folder)
    return folder


class KafkaBroker:
    """One broker process with its data in `folder`; restartable at the same address with the same data.

    Its door `demanding` speaks TLS, and wants a client certificate of `authority`. Its door `relayed` (a port) sends
    clients to `relay_port`, where a relay may listen that leads back to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.controller_port = free_port(), free_port()
        self.bootstrap = f"{HOST}:{self.port}"
        self.demanding = f"{HOST}:{free_port()}"
        self.relayed, self.relay_port = free_port(), free_port()
        self.authority = Authority.create(self.folder / "ca")
        self.properties = self.folder / "server.properties"
        self.log_path = self.folder / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> KafkaBroker:
        """Format the data folder if it is new, start the broker and wait until it answers; raises `BrokerFailed`."""
        if not self.properties.exists():
            self.properties.write_text(self._properties())
            formatting = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.properties))
            if formatting.wait(START_TIMEOUT_S):
                raise BrokerFailed(f"its data folder could not be formatted; {self._log_end()}")
        self.process = self._java("kafka.Kafka", str(self.properties))
        self._wait_ready()
        return self

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic and wait until clients can use it."""
        admin = self._admin()
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(START_TIMEOUT_S)
        # The controller has it at once; the broker learns of its leaders a moment later.
        eventually(
            lambda: len(admin.list_topics(name, timeout=10).topics[name].partitions) >= partitions,
            lambda: f"topic {name} has leaders; {self._log_end()}",
            START_TIMEOUT_S,
        )

    def stop(self) -> None:
        """End the broker as an operator would (SIGTERM); the data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker as a crash would (SIGKILL); the data stays."""
        self._end(signal.SIGKILL)

    def _properties(self) -> str:
        doors = f"PLAINTEXT://{self.bootstrap},SSL://{self.demanding}"
        return "\n".join(
            f"{name}={value}"
            for name, value in {
                "process.roles": "broker,controller",
                "node.id": 1,
                "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
                "listeners": f"{doors},RELAYED://{HOST}:{self.relayed},CONTROLLER://{HOST}:{self.controller_port}",
                "advertised.listeners": f"{doors},RELAYED://{HOST}:{self.relay_port}",
                "controller.listener.names": "CONTROLLER",
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,RELAYED:PLAINTEXT",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": self.authority.issue(),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.authority.bundle,
                "ssl.client.auth": "required",
                "log.dirs": self.folder / "data",
                "auto.create.topics.enable": "false",  # a mistyped name must show
                "message.max.bytes": 32 << 20,  # tests send 5 MB values
                "offsets.topic.replication.factor": 1,
                "offsets.topic.num.partitions": 1,
                "transaction.state.log.replication.factor": 1,
                "transaction.state.log.min.isr": 1,
                "group.initial.rebalance.delay.ms": 0,
                # After a crash the controller refuses the broker until its old session lapses (9 s by default).
                "broker.session.timeout.ms": 2000,
                "broker.heartbeat.interval.ms": 500,
                "log.cleaner.enable": "false",  # would take 128 MB of the heap
            }.items()
        )

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        with self.log_path.open("ab") as log:
            # Its own session: Ctrl-C must reach pytest, which then stops the broker in order.
            return subprocess.Popen(
                [*JAVA, quiet, "-cp", f"{jars()}/*", main, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})

    def _wait_ready(self) -> None:
        admin = self._admin()

        def answers() -> bool:
            if self.process is None or self.process.poll() is not None:
                raise BrokerFailed(f"the broker ended; {self._log_end()}")
            try:
                return bool(admin.list_topics(timeout=1).brokers)
            except KafkaException:
                return False  # not listening yet

        try:
            eventually(answers, lambda: f"the broker answers; {self._log_end()}", START_TIMEOUT_S)
        except BaseException:
            self.kill()
            raise

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_end(self) -> str:
        return f"the end of its log:\n{self.log_path.read_text(errors='replace')[-2000:]}"
