"""The process of isolated attempts: reads the job, makes the attempt, answers how it ended.

Started by child_processes.py; it forks itself for each job, and has no ledger: its worker stores what it answers.
"""

import os
import pickle
import signal

from config import logging
from config.egress import build_egress_policy
from config.roles import Role
from config.settings import load
from longshore.invocation.mapping import JqUnavailable, Mapping
from tasks.worker.attempt_exchange import execute
from tasks.worker.attempt_result import AttemptResult, Deferral
from tasks.worker.isolation.forkserver import serve_forks
from tasks.worker.isolation.job import READY, IsolatedJob
from tasks.worker.redis_clock import RedisClock
from tasks.worker.wiring import build_executor, build_results
from tasks.worker.worker_metrics import WorkerMetrics


def main() -> None:
    """Everything made ready; then, in a new process for each, one attempt."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the worker decides; it takes this process with it
    os.dup2(2, 1)  # the log goes where the worker's goes
    settings = load(role=Role.WORKER)
    logging.configure(settings.log_level, settings.secrets_to_mask, program="suspect")
    connection = serve_forks()
    egress_policy = build_egress_policy(settings)
    connection.sendall(READY)
    with connection.makefile("rb") as stream:
        job: IsolatedJob = pickle.load(stream)
    egress_policy.internal_services = job.internal_services
    clock, metrics = RedisClock(job.clock_offset_ms), WorkerMetrics(settings.metrics_targets)
    try:
        mapping = Mapping(job.mapping, settings.mapping_env())
    except JqUnavailable:  # says nothing of the invocation
        result: AttemptResult = Deferral(job.attempt.target, job.attempt.lane, "the mapping could not be evaluated")
    else:
        executor = build_executor(settings, mapping, egress_policy, build_results(settings), clock, metrics, slots=1)
        result = execute(executor, job.attempt)
        mapping.close()
    body = pickle.dumps(result)
    connection.sendall(len(body).to_bytes(8, "big") + body)


if __name__ == "__main__":
    main()
