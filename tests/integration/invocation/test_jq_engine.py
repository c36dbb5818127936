"""The jq child process: what is hostile in it harms only itself."""

import gc
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from longshore.invocation.mapping.jq import JqEngine, JqJob, JqLimits, JqUnavailable
from longshore.invocation.mapping.jq_process import JqAnswer, Status
from tests.support.programs import eventually

from .conftest import Load

Stuck = Callable[[Callable[[], object], Callable[[], object]], Callable[[], None]]

ROOT = Path(__file__).parents[3]

HOSTILE = [
    "def f: f; f",
    "[range(1e9)]",
    "last(range(1e12))",
    '"a"*1e9',
    "def f: [f]; f",
    "[1]|.[1e8]=1",
    "[limit(1e8; repeat(1))]",
    '[range(1e6)|"\\(.)"*1000]',
]


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "jq_child.py" in " ".join(child.cmdline())]


def test_a_batch_is_answered_in_order(engine: JqEngine) -> None:
    """Each answer belongs to the job at its place, whatever the sizes."""
    double, echo = engine.program(".n * 2 | tojson"), engine.program("tojson")
    jobs = [JqJob(double if n % 2 else echo, json.dumps({"n": n, "pad": "x" * (n * 37 % 5000)})) for n in range(600)]

    answers = engine.evaluate(jobs)

    for n, answer in enumerate(answers):
        assert Status.VALUE is answer.status
        assert answer.text == str(2 * n) if n % 2 else json.loads(answer.text)["n"] == n


def test_answers_larger_than_a_pipe_do_not_deadlock(engine: JqEngine) -> None:
    """Reading goes on while writing: 8 MB each way through pipes of 64 KB."""
    echo = engine.program("tojson")
    text = json.dumps("é" * 1_000_000, ensure_ascii=False)

    assert [JqAnswer(Status.VALUE, text)] * 4 == engine.evaluate([JqJob(echo, text)] * 4)


@pytest.mark.parametrize("expression", HOSTILE)
def test_a_hostile_expression_is_cut_off_and_spoils_nothing_else(engine: JqEngine, expression: str) -> None:
    """Between 40 innocent jobs, only the hostile one is killed."""
    good, bad = engine.program(".n | tojson"), engine.program(f"{expression} | tojson")
    jobs = [JqJob(bad if n == 20 else good, f'{{"n":{n}}}') for n in range(40)]

    answers = engine.evaluate(jobs)

    assert Status.KILLED is answers[20].status
    assert [JqAnswer(Status.VALUE, str(n)) for n in range(40) if n != 20] == answers[:20] + answers[21:]


@pytest.mark.parametrize("expression", ["input", "debug", "stderr", "halt", "halt_error", "input_filename", "[inputs]"])
def test_what_crashed_the_original_does_not_even_harm_the_child(engine: JqEngine, expression: str) -> None:
    """They are errors, pass through or end the one program."""
    odd, good = engine.program(f"{expression} | tojson"), engine.program("tojson")
    engine.evaluate([JqJob(good, "1")])
    before = children()

    answers = engine.evaluate([JqJob(odd, "1"), JqJob(good, "2")])

    assert Status.KILLED is not answers[0].status
    assert JqAnswer(Status.VALUE, "2") == answers[1]
    assert before == children()


def test_several_hostile_jobs_in_one_batch(engine: JqEngine) -> None:
    """Each is found and cut off; the jobs between them are answered."""
    good, bad = engine.program("tojson"), engine.program("def f: f; f | tojson")

    answers = engine.evaluate([JqJob(bad, "0"), JqJob(good, "1"), JqJob(bad, "2"), JqJob(good, "3")])

    assert ["killed", "value", "killed", "value"] == [answer.status for answer in answers]


def test_a_result_that_is_too_large_is_refused() -> None:
    """The parent's memory is bounded too."""
    engine = JqEngine({}, JqLimits(output_bytes=1000))
    try:
        wide, good = engine.program('"a"*2000'), engine.program("tojson")
        assert ["killed", "value"] == [
            answer.status for answer in engine.evaluate([JqJob(wide, "1"), JqJob(good, "1")])
        ]
    finally:
        engine.close()


def test_a_child_killed_from_outside_is_no_verdict(engine: JqEngine) -> None:
    """An idle child that the kernel killed is replaced, and nobody notices."""
    echo = engine.program("tojson")
    engine.evaluate([JqJob(echo, "1")])
    (child,) = children()
    child.kill()
    child.wait()

    assert [JqAnswer(Status.VALUE, "2")] == engine.evaluate([JqJob(echo, "2")])


def test_a_child_killed_while_it_works_is_no_verdict(engine: JqEngine) -> None:
    """Killed twice under load, every job is still answered: it was not the job's fault."""
    count = engine.program("[range(.)] | length | tojson")
    stop = threading.Event()

    def kill_now_and_then() -> None:
        for _ in range(2):
            for child in children():
                child.send_signal(signal.SIGKILL)
            if stop.wait(0.05):
                return

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        answers = engine.evaluate([JqJob(count, "2000")] * 500)
    finally:
        stop.set()
        killer.join()
    assert [JqAnswer(Status.VALUE, "2000")] * 500 == answers


def test_many_threads_share_one_engine(engine: JqEngine) -> None:
    """Every thread gets its own answers, also while another's expression is being cut off."""
    echo, bad = engine.program("tojson"), engine.program("def f: f; f")
    wrong: list[int] = []

    def ask(thread: int) -> None:
        for n in range(20):
            expected = str(thread * 1000 + n)
            if thread == 7 and n == 5:
                engine.evaluate([JqJob(bad, "1")])
            if [JqAnswer(Status.VALUE, expected)] != engine.evaluate([JqJob(echo, expected)]):
                wrong.append(thread)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Begins work in a thread whose child stands still until it is told to go on; `warm` leaves that child idle."""
    running: list[tuple[psutil.Process, threading.Thread]] = []

    def begin(warm: Callable[[], object], work: Callable[[], object]) -> Callable[[], None]:
        before = children()
        warm()
        (child,) = [child for child in children() if child not in before]
        child.suspend()
        thread = threading.Thread(target=work)
        thread.start()
        running.append((child, thread))

        def go_on() -> None:
            child.resume()
            thread.join(60)
            assert not thread.is_alive()

        return go_on

    yield begin
    for child, thread in running:
        with suppress(psutil.NoSuchProcess):
            child.resume()
        thread.join(60)


PATIENT = JqLimits(timeout_s=600)
LARGE = json.dumps("x" * 100_000)


def test_a_text_that_takes_long_delays_nobody_else(stuck: Stuck) -> None:
    """While the one child is at it, others answer, and one is left for what is small."""
    with closing(JqEngine({}, PATIENT, processes=2)) as engine:
        echo = engine.program("tojson")
        go_on = stuck(lambda: engine.evaluate([JqJob(echo, "1")]), lambda: engine.evaluate([JqJob(echo, LARGE)]))
        eventually(lambda: engine._busy == 1)
        waiting = threading.Thread(target=lambda: engine.evaluate([JqJob(echo, LARGE)]))
        waiting.start()

        for number in range(10):
            assert [JqAnswer(Status.VALUE, f"{number}")] == engine.evaluate([JqJob(echo, f"{number}")])
        assert waiting.is_alive()
        assert 2 == len(children())
        go_on()
        waiting.join(60)
        assert not waiting.is_alive()


def test_there_are_never_more_processes_than_allowed(stuck: Stuck) -> None:
    """The next one waits until a child is free."""
    with closing(JqEngine({}, PATIENT, processes=2)) as engine:
        echo = engine.program("tojson")
        ends = []
        for busy in (1, 2):
            ends.append(stuck(lambda: engine.evaluate([JqJob(echo, "1")]), lambda: engine.evaluate([JqJob(echo, "2")])))
            eventually(lambda: engine._busy == busy)  # noqa: B023
        waiting = threading.Thread(target=lambda: engine.evaluate([JqJob(echo, "3")]))
        waiting.start()

        waiting.join(0.2)
        assert waiting.is_alive()
        assert 2 == len(children())
        for go_on in ends:
            go_on()
        waiting.join(60)
        assert 2 == len(children())


def test_a_large_text_leaves_no_child_that_keeps_its_memory(engine: JqEngine) -> None:
    """A child takes twenty times what it read, and never gives it back."""
    echo = engine.program("length | tojson")

    assert [JqAnswer(Status.VALUE, "3000000")] == engine.evaluate([JqJob(echo, json.dumps("x" * 3_000_000))])
    assert [] == children()
    assert [JqAnswer(Status.VALUE, "1")] == engine.evaluate([JqJob(echo, '"x"')])


def test_reports_are_evaluated_apart_from_requests(load: Load, stuck: Stuck) -> None:
    """What targets answer may be large and take long; no request waits for it."""
    mapping = load([{"url": ".u", "report": {"summary": ".response.body | ."}}], limits=PATIENT)
    go_on = stuck(lambda: mapping.report(0, "{}"), lambda: mapping.report(0, "{}"))

    assert "http://x/" == mapping.request(0, '{"u": "http://x/"}').url
    go_on()


def test_expressions_see_the_given_environment_alone(engine: JqEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`env` and `$ENV` hold what was given; the parent's own variables are not there."""
    monkeypatch.setenv("PARENT_SECRET", "s3cret")
    jobs = [JqJob(engine.program(f"{env} | [.TOKEN, .PARENT_SECRET] | tojson"), "1") for env in ("env", "$ENV")]

    assert [JqAnswer(Status.VALUE, '["t0k",null]')] * 2 == engine.evaluate(jobs)


def test_odd_variables_do_not_stop_the_start() -> None:
    """Names and values that no process can be given are left out; Python's own variables change nothing."""
    env = {"": "x", "A=B": "x", "N": "a\0b", "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "ok!": "y"}
    engine = JqEngine(env)
    try:
        assert [JqAnswer(Status.VALUE, '"y"')] == engine.evaluate([JqJob(engine.program('env["ok!"] | tojson'), "1")])
    finally:
        engine.close()


def test_syntax_errors_are_told_in_one_line_without_the_program(engine: JqEngine) -> None:
    """The place in the expression, but not the expression, which may hold a secret."""
    problems = engine.check([".a", ']"s3cret"', "nosuch(1)"])

    assert None is problems[0]
    assert "line 1, column 1" in str(problems[1])
    assert "s3cret" not in str(problems[1])
    assert "nosuch/1 is not defined at <top-level>, line 1, column 1" == problems[2]


@pytest.mark.parametrize("size", [2_000_000, 5_000_000])
def test_large_messages_are_within_the_limits(engine: JqEngine, size: int) -> None:
    """The limits grow with the input: 5 MB of numbers need more time and memory than 2 KB."""
    text = "[" + ",".join(["12345.678"] * (size // 10)) + "]"

    (answer,) = engine.evaluate([JqJob(engine.program("tojson"), text)])

    assert (Status.VALUE, len(text)) == (answer.status, len(answer.text))


def test_lone_surrogates_are_replaced_and_pairs_are_kept(engine: JqEngine) -> None:
    """Jq 1.8 refuses a whole message for one of them."""
    text = r'"\ud800 \udfff\ud83d \ud83d\ude80 \\ud800 \\\ud800 \uD83D\uDE80 \uDC00"'

    (answer,) = engine.evaluate([JqJob(engine.program("tojson"), text)])

    assert "� �� 🚀 \\ud800 \\� 🚀 �" == json.loads(answer.text)


def test_closing_ends_the_child() -> None:
    """No process is left, and a closed engine says so."""
    engine = JqEngine({})
    echo = engine.program("tojson")
    engine.evaluate([JqJob(echo, "1")])

    engine.close()

    assert [] == children()
    with pytest.raises(JqUnavailable, match="closed"):
        engine.evaluate([JqJob(echo, "1")])


def test_a_forgotten_engine_ends_its_child() -> None:
    """Nothing is left behind by whoever does not close."""
    engine = JqEngine({})
    engine.evaluate([JqJob(engine.program("tojson"), "1")])

    del engine
    gc.collect()

    assert [] == children()


PARENT = """
import sys, time
from longshore.invocation.mapping.jq import JqEngine, JqJob
engine = JqEngine({})
engine.evaluate([JqJob(engine.program("tojson"), "1")])
print("ready", flush=True)
time.sleep(600)
"""


def test_the_child_ends_with_its_parent() -> None:
    """A parent that is killed leaves no child: its end of the pipe closes."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    assert "ready\n" == parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()

    parent.kill()
    parent.communicate()

    try:
        child.wait(timeout=30)
    except psutil.TimeoutExpired:
        # Nobody may have collected the dead child of a dead parent.
        assert psutil.STATUS_ZOMBIE == child.status()


def test_the_file_of_functions_in_the_home_folder_is_not_loaded(tmp_path: Path) -> None:
    """Whoever may write `.jq` would change what every mapping means; expressions see the variable all the same."""
    (tmp_path / ".jq").write_text('def tojson: "\\"theirs\\""; def sneaky: 42;')
    with closing(JqEngine({"HOME": str(tmp_path), "TOKEN": "t0k"})) as engine:
        expression = engine.program("[.n, env.HOME, $ENV.HOME, $ENV.TOKEN] | tojson")
        assert engine.check(["sneaky", "$ENV.TOKEN", ". as [$a] | $ENV | .HOME # why"])[1:] == [None, None]
        assert engine.check(["sneaky"])[0] is not None
        (answer,) = engine.evaluate([JqJob(expression, '{"n":1}')])

    assert [1, str(tmp_path), str(tmp_path), "t0k"] == json.loads(answer.text)
