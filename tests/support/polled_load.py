"""Invocations that Port gives out to whoever polls, of the same sorts as those in Kafka."""

from __future__ import annotations

from collections.abc import Mapping

from longshore.invocation.kinds import Kind
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.publisher import polling_object
from tests.support.load import KINDS, Load

CLAIM_S = 5.0
"""How long Port keeps a claim for whoever was killed with it."""


POLLED = {
    "STREAMER_NAME": "POLLING",
    "POLLING_INTERVAL_SECONDS": "1",
    "POLLING_RUNS_BATCH_SIZE": "20",
}
"""Settings of a fleet that polls."""


class PolledLoad(Load):
    """As Load, without change log events, which are not polled."""

    kinds = tuple(each for each in KINDS if each[0] is not Kind.CHANGE_LOG)

    def __init__(
        self, port: FakePort, bootstrap: str, organization: str, secret: str, urls: Mapping[str, str], seed: int
    ) -> None:
        super().__init__(bootstrap, organization, secret, urls, seed)
        self._port = port
        port.claims.claim_s = CLAIM_S

    def _give_out(self, run: str, value: bytes) -> None:
        self._port.offer(polling_object(value))
