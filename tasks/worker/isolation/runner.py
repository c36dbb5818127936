"""Attempts of invocations that were under way when several workers died: each in a process of its own.

So one that kills its worker kills only that process, and is a dead letter (`poison`); one that was in bad company ends
as it would anywhere.
"""

import time
from dataclasses import dataclass, replace

from longshore.delivery import EgressPolicy
from longshore.errors import place_of
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.attempt_result import UNEXPECTED, AttemptResult, Completion, Deferral
from tasks.worker.isolation.child_processes import ChildProcesses
from tasks.worker.isolation.job import ChildDied, IsolatedJob
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.shutdown import DRAINED, Shutdown

log = EventLog(__name__)

POISON = "poison"
"""Reason code."""

POISON_CAUSE = "every worker that tried it died, the last one with nothing else to do"

_NO_PROCESS_PAUSE_S = 1.0  # while others are tried


@dataclass(frozen=True)
class IsolationRunner:
    """Makes attempts in child processes and says what came of them, as `AttemptExecutor` does. Thread safe."""

    children: ChildProcesses
    results: ResultBuilder
    egress_policy: EgressPolicy
    clock: RedisClock
    shutdown: Shutdown

    def execute(self, attempt: StartedAttempt, mapping: bytes, max_duration_s: float) -> AttemptResult:
        """The attempt, by a mapping file of this content; it may take `max_duration_s`. Raises nothing."""
        try:
            answer = self.children.run(
                IsolatedJob(attempt, mapping, self.clock.offset_ms, tuple(self.egress_policy.internal_services)),
                max_duration_s,
            )
        except TimeoutError:
            cause = "the process in which it was tried alone did not end in time"
            return Completion(self.results.build_interrupted(attempt, "deadline", cause), cause)
        except Exception as error:  # it may have been sent
            log.event(events.DELIVERY_CRASHED, run_id=attempt.run, error=type(error).__name__, at=place_of(error))
            cause = f"a fault of the agent ({type(error).__name__}) while it was tried alone"
            return Completion(self.results.build_interrupted(attempt, UNEXPECTED, cause), cause)
        match answer:
            case ChildDied() if self.shutdown.draining.is_set():
                # Whoever ends this worker may have ended that process too.
                return Completion(self.results.build_interrupted(attempt, DRAINED, "the worker had to stop"), DRAINED)
            case ChildDied(how):
                log.event(
                    events.DELIVERY_POISON_DETECTED,
                    run_id=attempt.run or attempt.id,
                    deaths=attempt.deaths + 1,
                    ended=how,
                )
                end = self.results.build_abandoned(attempt, State.DEAD, POISON, POISON_CAUSE)
                return Completion(replace(end, clears=False), POISON_CAUSE)
            case None:
                time.sleep(_NO_PROCESS_PAUSE_S)
                return Deferral(attempt.target, attempt.lane, "no process to try it alone")
            case _:
                return answer
