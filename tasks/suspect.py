"""The process in which one suspect is tried: reads the job, makes the attempt, answers how it ended.

Started by quarantine.py, which says why.
"""

import os
import pickle
import signal
import sys
import threading

from config import logging
from config.outgoing import fence_of
from config.roles import Role
from config.settings import load
from longshore.invocation.mapping import Mapping
from tasks.assembly import attempts_of, story_of
from tasks.in_flight import InFlight
from tasks.quarantine import READY, Job, Recorder, Told


def main() -> None:
    """One attempt, and the end of the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the worker decides; it takes this process with it
    # Standard output is for the answer alone, whatever a library may print.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = load(role=Role.WORKER)
    logging.configure(settings.log_level, settings.masked, program="suspect")
    mapping = Mapping.load(settings.mapping_path, settings.mapping_env())
    fence = fence_of(settings)
    answer.write(READY)
    answer.flush()
    job: Job = pickle.load(sys.stdin.buffer)
    fence.own = job.own
    recorder = Recorder()
    attempts = attempts_of(
        settings,
        recorder,
        mapping,
        fence,
        story_of(settings),
        slots=1,
        in_flight=InFlight(),
        handed_out=lambda claims: None,
        clock_offset_ms=lambda: job.clock_offset_ms,
        draining=threading.Event(),
        suspects=None,
    )
    ended = attempts.perform(job.begun)
    body = pickle.dumps(Told(recorder.finished, recorder.moved, ended.line))
    answer.write(len(body).to_bytes(8, "big") + body)
    answer.flush()
    mapping.close()


if __name__ == "__main__":
    main()
