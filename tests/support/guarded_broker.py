"""A real Kafka broker that wants a login, as Port's cluster does."""

from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from longshore.runtime.embedded_redis import HOST, free_port
from tests.support.kafka_broker import KafkaBroker

USER = "org-user"


class GuardedBroker(KafkaBroker):
    """A broker with a second door, `guarded`, that wants a SCRAM login as Port's cluster does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.guarded = f"{HOST}:{free_port()}"

    def set_password(self, password: str) -> None:
        """Of `USER`, from now on."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(USER, info, password.encode())
        admin.alter_user_scram_credentials([change])[USER].result(30)

    def _properties(self) -> str:
        controller = f"CONTROLLER://{HOST}:{self.controller_port}"
        doors = f"PLAINTEXT://{self.bootstrap},SASL_PLAINTEXT://{self.guarded}"
        protocols = ("PLAINTEXT", "SASL_PLAINTEXT")
        # The last value of a name counts.
        return "\n".join(
            [
                super()._properties(),
                f"listeners={doors},{controller}",
                f"advertised.listeners={doors}",
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT," + ",".join(f"{p}:{p}" for p in protocols),
                "sasl.enabled.mechanisms=SCRAM-SHA-512",
                "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config="
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ]
        )
