"""The process in which one suspect is tried: reads the job, makes the attempt, answers how it ended.

Started by quarantine.py, which says why; it forks itself for each suspect.
"""

import os
import pickle
import signal

from config import logging
from config.egress import fence_of
from config.roles import Role
from config.settings import load
from longshore.invocation.mapping import Mapping
from tasks.worker.isolation.forkserver import forked
from tasks.worker.isolation.runner import READY, Job
from tasks.worker.wiring import performer_of, story_of


def main() -> None:
    """Everything made ready; then, in a new process for each, one attempt."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the worker decides; it takes this process with it
    os.dup2(2, 1)  # the log goes where the worker's goes
    settings = load(role=Role.WORKER)
    logging.configure(settings.log_level, settings.masked, program="suspect")
    connection = forked()
    mapping = Mapping.load(settings.mapping_path, settings.mapping_env())
    fence = fence_of(settings)
    connection.sendall(READY)
    with connection.makefile("rb") as told:
        job: Job = pickle.load(told)
    fence.own = job.own
    performer = performer_of(settings, mapping, fence, story_of(settings), 1, lambda: job.clock_offset_ms)
    body = pickle.dumps(performer.perform(job.begun))
    connection.sendall(len(body).to_bytes(8, "big") + body)
    mapping.close()


if __name__ == "__main__":
    main()
