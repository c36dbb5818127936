"""Threads that send: few at work, more where some are stuck, and never more than allowed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from tasks.worker.thread_pool import ThreadPool
from tests.support.programs import eventually


@contextmanager
def running(max_threads: int, at_work: int) -> Iterator[ThreadPool]:
    pool = ThreadPool(max_threads, at_work)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


class Blockade:
    """Jobs that wait until it is lifted."""

    def __init__(self, pool: ThreadPool, *, announced: bool) -> None:
        self.pool = pool
        self.announced = announced
        self.lifted = threading.Event()
        self.reached = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def job(self) -> None:
        with self.pool.blocking() if self.announced else nullcontext():
            self.reached.release()
            assert self.lifted.wait(60)
        self.ended.release()


def wait_for(semaphore: threading.Semaphore, count: int) -> None:
    for _ in range(count):
        assert semaphore.acquire(timeout=60)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "found out"])
def test_jobs_that_wait_hold_up_no_others(announced: bool) -> None:
    """Twenty wait in a pool that lets two work at once; the next one runs."""
    with running(max_threads=100, at_work=2) as pool:
        blockade = Blockade(pool, announced=announced)
        for _ in range(20):
            pool.submit(blockade.job)
        done = threading.Event()
        pool.submit(done.set)

        wait_for(blockade.reached, 20)
        assert done.wait(60)
        blockade.lifted.set()
        wait_for(blockade.ended, 20)


def test_there_are_never_more_threads_than_allowed_and_all_jobs_run_in_the_end() -> None:
    """Ten jobs wait, and there are three threads."""
    with running(max_threads=3, at_work=2) as pool:
        blockade = Blockade(pool, announced=True)
        for _ in range(10):
            pool.submit(blockade.job)

        wait_for(blockade.reached, 3)
        assert 3 == pool.threads
        blockade.lifted.set()
        wait_for(blockade.ended, 10)


def test_jobs_that_never_wait_are_left_to_few_threads() -> None:
    """A thousand jobs."""
    with running(max_threads=100, at_work=2) as pool:
        names: set[str] = set()
        done = threading.Semaphore(0)

        def job() -> None:
            names.add(threading.current_thread().name + str(threading.get_ident()))
            done.release()

        for _ in range(1000):
            pool.submit(job)
        wait_for(done, 1000)
        assert len(names) <= 2


def test_after_a_jam_no_more_work_at_once_than_before() -> None:
    """Twenty threads come back; only two of them take jobs, the others are kept ready."""
    with running(max_threads=100, at_work=2) as pool:
        blockade = Blockade(pool, announced=True)
        for _ in range(20):
            pool.submit(blockade.job)
        wait_for(blockade.reached, 20)
        blockade.lifted.set()
        wait_for(blockade.ended, 20)
        eventually(lambda: pool.at_work <= 2, "the others are spare")

        at_once, most, lock, done = 0, 0, threading.Lock(), threading.Semaphore(0)

        def job() -> None:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.002)
            with lock:
                at_once -= 1
            done.release()

        for _ in range(100):
            pool.submit(job)
        wait_for(done, 100)
        assert most <= 2


def test_a_job_that_raises_costs_no_thread() -> None:
    """As many as there are threads, and more."""
    with running(max_threads=2, at_work=2) as pool:

        def job() -> None:
            raise LookupError("a fault")

        for _ in range(5):
            pool.submit(job)
        done = threading.Event()
        pool.submit(done.set)
        assert done.wait(60)


def test_threads_that_only_a_jam_has_needed_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though jobs go on, each of which needs a spare one for a moment."""
    monkeypatch.setattr("tasks.worker.thread_pool._SPARE_S", 0.3)
    with running(max_threads=100, at_work=1) as pool:
        jam = Blockade(pool, announced=True)
        for _ in range(20):
            pool.submit(jam.job)
        wait_for(jam.reached, 20)
        jam.lifted.set()
        wait_for(jam.ended, 20)
        assert pool.threads >= 20

        def one_waits_for_another() -> bool:
            pair = Blockade(pool, announced=True)
            pool.submit(pair.job)
            wait_for(pair.reached, 1)
            pool.submit(pair.lifted.set)
            wait_for(pair.ended, 1)
            return pool.threads <= 3

        eventually(one_waits_for_another, lambda: f"{pool.threads} threads are left", every_s=0.01)
