"""What a worker counts of its attempts."""

from longshore.delivery.outcome import Outcome
from longshore.invocation.kinds import Kind
from longshore.ledger.entry import AttemptEnd, ExpiredLease, StartedAttempt
from longshore.ledger.states import State
from longshore.telemetry import metrics
from longshore.telemetry.labels import TargetLabels, outcome_of
from tasks.worker.activity_sums import ActivitySums

_DELIVERY_SECONDS = {kind: metrics.DELIVERY_SECONDS.labels(kind.value) for kind in Kind}
_RETRY, _DEFERRED, _REDIS = (metrics.ATTEMPTS_DELAYED.labels(cause) for cause in ("retry", "deferred", "redis"))


class WorkerMetrics:
    """Counts attempts. Thread safe."""

    def __init__(self, max_targets: int) -> None:
        self._targets = TargetLabels(max_targets)
        self.activity = ActivitySums()
        """What the heartbeat takes to the ledger."""

    def count_end(self, attempt: StartedAttempt, end: AttemptEnd, state: str, now_ms: float) -> None:
        """An attempt ended; `state` is what became of the invocation. `now_ms` is Redis's time."""
        metrics.ATTEMPTS.labels(self._targets.of(attempt.target), outcome_of(end.reason)).inc()
        latency_ms = max(0.0, now_ms - attempt.published_ms)
        self.activity.count_end(attempt.target, state, latency_ms if attempt.generation == 1 else None)
        if state == State.DONE:
            _DELIVERY_SECONDS[attempt.kind].observe(latency_ms / 1000)
        elif state == State.WAITING:
            _RETRY.inc()
        else:
            _count_bad_end(state, end.reason)

    def count_deferral(self) -> None:
        """An attempt was put back, unsent."""
        _DEFERRED.inc()

    def count_redis_wait(self) -> None:
        """A result cannot be stored yet."""
        _REDIS.inc()

    def observe_request(self, outcome: Outcome) -> None:
        """A request was made."""
        metrics.REQUEST_SECONDS.observe(outcome.duration_ms / 1000)

    def count_expired_lease(self, lease: ExpiredLease) -> None:
        """A lease lapsed, and this process found it."""
        metrics.LAPSED.labels(lease.state, lease.reason).inc()
        self.activity.count_end(lease.target, lease.state)
        _count_bad_end(lease.state, lease.reason)


def _count_bad_end(state: str, reason: str) -> None:
    if state == State.DEAD:
        metrics.DEAD_LETTERS.labels(outcome_of(reason)).inc()
    elif state == State.UNKNOWN:
        metrics.UNKNOWN_OUTCOMES.labels(outcome_of(reason)).inc()
