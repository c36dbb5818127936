"""Redis's time: starts and deadlines in the ledger are in it, and no worker's own clock is trusted with them."""

import time

from longshore.ledger.ledger import Ledger


class RedisClock:
    """Redis's time as it was last measured against this process's own. Thread safe."""

    def __init__(self, offset_ms: float = 0.0) -> None:
        """`offset_ms`: Redis's clock minus ours, until it is measured."""
        self.offset_ms = offset_ms

    def now_ms(self) -> float:
        """Unix time in milliseconds."""
        return time.time() * 1000 + self.offset_ms

    def measure(self, ledger: Ledger) -> None:
        """Asks Redis for its time, and takes it for the time in the middle of the call."""
        before = time.time()
        redis_ms = ledger.clock_ms()
        self.offset_ms = redis_ms - (before + time.time()) * 500
