"""`longshore drill` on a fleet of two real workers: what it says, what it does, and what it always undoes."""

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from longshore.operations.ledger_access import open_ledger
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from tests.support.programs import SCRIPT, Program, eventually
from tests.support.warm import longshore

from .conftest import Bench

NOT_FOUND, REFUSED, INTERRUPTED = 3, 4, 130


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench with two workers, each of which a drill may end."""
    folder = tmp_path_factory.mktemp("pair")
    with EmbeddedRedis(folder / "redis") as redis, FakePort() as port, FakeTargets() as targets:
        bench = Bench(redis, port, targets, folder)
        with_two_workers(bench)
        yield bench
        for program in bench.programs:
            program.close()


def with_two_workers(bench: Bench) -> None:
    """Starts what is missing of two workers."""
    for _ in range(count_alive(bench), 2):
        bench.worker(WEBHOOK_INVOKER_TIMEOUT="20", DRAIN_S="10")


def count_alive(bench: Bench) -> int:
    return sum(program.process.poll() is None for program in bench.programs)


def drill(bench: Bench, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = longshore("drill", bench.targets.origin("slow"), *options, folder=bench.folder, **bench.environ)
    assert code == done.returncode, f"{options}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def is_paused(bench: Bench) -> bool:
    return open_ledger(bench.settings).targets.operator_control(bench.targets.origin("slow")).paused


def test_without_yes_it_says_what_it_would_do_and_changes_nothing(pair: Bench) -> None:
    """The target, the worker by its name, and what is under way."""
    with_two_workers(pair)
    said = drill(pair).stderr
    assert f"{pair.targets.origin('slow')} would be paused for 30 s" in said
    assert "would be ended, one of 2 workers" in said
    assert not is_paused(pair)
    assert 2 == count_alive(pair)


def test_it_refuses_where_it_could_do_harm(pair: Bench) -> None:
    """A target that an operator has paused, a name that is none, a worker that is none."""
    with_two_workers(pair)
    wrong = longshore("drill", "http://a:80 deploy", "--yes", folder=pair.folder, **pair.environ)
    assert (REFUSED, True) == (wrong.returncode, "name a target" in wrong.stderr)
    assert "no worker nobody@here answers" in drill(pair, "--worker", "nobody@here", code=NOT_FOUND).stderr
    longshore("targets", "pause", pair.targets.origin("slow"), folder=pair.folder, **pair.environ)
    assert "is paused already" in drill(pair, "--yes", code=REFUSED).stderr
    assert is_paused(pair)
    longshore("targets", "resume", pair.targets.origin("slow"), folder=pair.folder, **pair.environ)


def test_it_ends_one_worker_resumes_the_target_and_accounts_for_everything(pair: Bench) -> None:
    """What was in flight in the worker that ended, and what waited for the target, is delivered once."""
    with_two_workers(pair)
    ids = [pair.new_id() for _ in range(12)]
    for id in ids[:6]:
        pair.accept(id, "slow")
    eventually(lambda: len([id for id in ids[:6] if pair.record(id)["state"] == "begun"]) == 6, "all begin")
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(drill, pair, "--yes", "--pause", "3", "--json")
        eventually(lambda: is_paused(pair) or done.done(), "the target is paused")
        for id in ids[6:]:
            pair.accept(id, "slow")
    found = json.loads(done.result().stdout)
    assert (True, 0, 0, {}) == tuple(found[name] for name in ("passed", "lost", "unknown outcomes", "still waiting"))
    assert found["were under way"] >= 6
    eventually(lambda: count_alive(pair) == 1, "one worker has ended")
    for id in ids:
        pair.ends(id, "done", "delivered")
        assert 1 == len(pair.targets.received(id))
    assert not is_paused(pair)
    assert "it needs two or more" in drill(pair, "--yes", code=REFUSED).stderr, "the last worker is left alone"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_drill_that_is_ended_resumes_its_target(pair: Bench, number: signal.Signals) -> None:
    """By Ctrl-C, or by whoever runs it."""
    with_two_workers(pair)
    command = (str(SCRIPT), "drill", pair.targets.origin("slow"))
    program = Program("--yes", "--pause", "300", folder=pair.folder, command=command, **pair.environ)
    pair.programs.append(program)
    program.says("takes nothing any more")
    assert is_paused(pair)
    program.process.send_signal(number)
    assert INTERRUPTED == program.process.wait(30), program.log()
    assert not is_paused(pair)
    eventually(lambda: count_alive(pair) == 1, "the worker that was told to end has ended")
