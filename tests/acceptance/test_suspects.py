"""What was under way at several deaths of workers is tried in a process of its own: nobody else suffers."""

import signal

import psutil
import pytest

from longshore.operations.ledger_access import open_ledger
from tasks.worker.isolation.child_processes import CHILD_MODULE
from tests.support.programs import Program, eventually

from .conftest import Bench


def suspect(bench: Bench, id: str, target: str, synchronized: bool = False) -> None:
    """Put an invocation into the ledger that three workers have died with. No worker may run yet."""
    bench.accept(id, target, synchronized, unknown_outcome="retry")
    ledger = open_ledger(bench.settings).ledger
    ledger.redis.hset(ledger.keys.invocation(id), "deaths", "3")


def trials(worker: Program) -> list[psutil.Process]:
    """The processes in which the worker tries suspects now."""
    found = psutil.Process(worker.process.pid).children(recursive=True)
    made = [process for process in found if process.is_running() and CHILD_MODULE in process.cmdline()]
    # They are forked from one that was started.
    return [process for process in made if process.ppid() != worker.process.pid]


def test_an_innocent_suspect_is_delivered_and_cleared(bench: Bench) -> None:
    """One death of a worker charges everything that was under way, so most suspects are innocent."""
    suspect(bench, "r_1", "good", synchronized=True)
    suspect(bench, "r_2", "not_found")
    bench.worker()

    bench.ends("r_1", "done", "delivered")
    bench.ends("r_2", "dead", "http_404")
    assert {"deaths", "home"}.isdisjoint(bench.record("r_1"))
    eventually(lambda: bench.port.runs["r_1"].state == "SUCCESS", "Port is told")
    assert 1 == len(bench.targets.received("r_1"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_suspect_that_kills_its_process_too_is_poison_and_the_worker_lives(bench: Bench, how: signal.Signals) -> None:
    """A dead letter that Port hears of; what else is under way goes on."""
    suspect(bench, "r_1", "hanging")
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="20")
    eventually(lambda: bench.targets.received("r_1"), "it is tried")
    bench.accept("r_2", "slow")
    eventually(lambda: bench.record("r_2")["state"] == "begun", "an innocent one is under way")

    (process,) = trials(worker)
    process.send_signal(how)

    bench.ends("r_1", "dead", "poison")
    bench.ends("r_2", "done", "delivered")
    eventually(lambda: bench.port.runs["r_1"].state == "FAILURE", "Port is told")
    assert worker.process.poll() is None


def test_a_worker_takes_the_process_of_a_suspect_with_it(bench: Bench) -> None:
    """Killed or drained, it leaves nothing behind; a drain is not the suspect's doing."""
    suspect(bench, "r_1", "hanging")
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="20", DRAIN_S="0.5")
    eventually(lambda: bench.targets.received("r_1"), "it is tried")
    (process,) = trials(worker)

    assert 0 == worker.stop()
    eventually(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "its process is gone")
    record = bench.record("r_1")
    assert ("waiting", "3") == (record["state"], record["deaths"])
    (entry,) = open_ledger(bench.settings).invocations.history("r_1")
    assert ("drained", True) == (entry["reason"], entry["sent"])
