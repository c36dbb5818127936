"""Carries out requeue jobs: every worker takes steps, as each step is one script."""

from longshore.ledger.requeue import Requeuer
from longshore.periodic import Periodic

_STEP_S = 0.2
_IDLE_S = 1.0


class RequeueRunner:
    """Takes a step of every unfinished job, a few times a second while there are any."""

    def __init__(self, requeue: Requeuer) -> None:
        self._requeue = requeue
        self._loop = Periodic("requeue-runner", _STEP_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> float | None:
        return None if self._requeue.run_due() else _IDLE_S
