"""The commands of people on call, against a real worker: what they show, what they do, and how they end."""

import json
import subprocess
from typing import Any

import pytest

from tasks.celery.app import make_app
from tests.support.programs import eventually
from tests.support.warm import longshore

from .conftest import Bench

NOT_FOUND, REFUSED, USAGE, CONFIG = 3, 4, 2, 78


def cli(bench: Bench, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs a command, which must end with `code`."""
    done = longshore(*arguments, folder=bench.folder, **bench.environ, LONGSHORE_ACTOR="ann")
    assert code == done.returncode, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def ask(bench: Bench, *arguments: str) -> Any:
    """What a command prints as JSON."""
    return json.loads(cli(bench, *arguments, "--json").stdout)


@pytest.fixture
def ended(bench: Bench) -> Bench:
    """A worker that has given up two runs, parked one and delivered one."""
    bench.worker(KEEP_PAYLOAD_S="600")
    for id, target in {"r_404": "not_found", "r_405": "not_found", "r_502": "gateway", "r_ok": "good"}.items():
        bench.accept(id, target, synchronized=id == "r_404")
    bench.ends("r_404", "dead", "http_404")
    bench.ends("r_405", "dead", "http_404")
    bench.ends("r_502", "unknown", "http_502")
    bench.ends("r_ok", "done", "delivered")
    return bench


def test_letters_are_listed_filtered_counted_and_exported(ended: Bench) -> None:
    """Lines to cut and grep for scripts, or JSON."""
    table = cli(ended, "dlq", "list").stdout.splitlines()
    assert table[0].split("\t")[:4] == ["ended", "id", "state", "reason"]
    assert {"r_404", "r_405", "r_502"} == {line.split("\t")[1] for line in table[1:]}
    found = ask(ended, "dlq", "list", "--state", "unknown")
    assert [("r_502", "http_502", 502)] == [(one["id"], one["reason"], one["status"]) for one in found]
    assert ["r_405"] == [one["id"] for one in ask(ended, "dlq", "list", "--text", "r_405")]
    assert 2 == len(ask(ended, "dlq", "list", "--target", ended.targets.origin("not_found"), "--since", "1h"))
    assert [] == ask(ended, "dlq", "list", "--until", "2020-01-01")
    assert {"state": "dead", "reason": "http_404", "count": 2} in ask(ended, "dlq", "list", "--counts")
    lines = [json.loads(line) for line in cli(ended, "dlq", "export", "--reason", "http_404").stdout.splitlines()]
    assert ["Not Found" in line["history"][-1]["cause"] for line in lines] == [True, True]


def test_one_run_is_shown_with_everything_that_happened_to_it(ended: Bench) -> None:
    """Where it came from, when each attempt was, what came of it and what can be done."""
    (told,) = ask(ended, "show", "r_404")
    (attempt,) = told["history"]
    assert (1, 404, True) == (attempt["attempt"], attempt["status"], attempt["sent"])
    assert told["accepted_ms"] - 1000 <= attempt["at"] * 1000 <= told["ended_ms"] + 1000
    text = cli(ended, "show", "r_404").stdout
    for part in ("bench.runs/0/0", "http_404", "attempt 1.1  20", "no such hook", "dlq requeue r_404"):
        assert part in text
    assert "delivered" in cli(ended, "show", "r_ok").stdout
    cli(ended, "show", "r_never", code=NOT_FOUND)


def test_one_letter_is_sent_again_with_who_and_why(ended: Bench) -> None:
    """Under the same idempotency key; a reason is required; a run that Port has closed says so."""
    cli(ended, "dlq", "requeue", "r_404", code=USAGE)
    cli(ended, "dlq", "requeue", code=USAGE)
    assert "would be requeued" in cli(ended, "dlq", "requeue", "r_404", "--dry-run").stderr
    assert "Port's run has ended" in cli(ended, "dlq", "requeue", "r_404", "--why", "hook is back").stderr
    eventually(lambda: ended.record("r_404")["state"] == "dead", "it fails again")
    assert 2 == len(ended.targets.received("r_404"))
    history = ask(ended, "show", "r_404")[0]["history"]
    assert ("ann", "hook is back") == (history[1]["requeued_by"], history[1]["why"])
    assert [1, 2] == [event["generation"] for event in history if "attempt" in event]
    cli(ended, "dlq", "requeue", "r_never", "--why", "x", code=NOT_FOUND)
    cli(ended, "dlq", "requeue", "r_ok", "--why", "x", code=REFUSED)
    assert 1 == len(ended.targets.received("r_ok"))
    cli(ended, "dlq", "requeue", "r_ok", "--why", "x", "--replay")
    eventually(lambda: len(ended.targets.received("r_ok")) == 2, "the replay")


def test_many_are_sent_again_as_a_job(ended: Bench) -> None:
    """Counted first, confirmed, capped; the job is listed."""
    everything = ("dlq", "requeue", "--all", "--reason", "http_404")
    assert "2\tdead\thttp_404" in cli(ended, *everything, "--dry-run").stdout
    assert "give --yes" in cli(ended, *everything, "--why", "x", code=REFUSED).stderr
    assert "--cap 1" in cli(ended, *everything, "--why", "x", "--yes", "--cap", "1", code=REFUSED).stderr
    cli(ended, "dlq", "requeue", "--all", "--reason", "none", "--why", "x", "--yes", code=NOT_FOUND)
    assert 1 == len(ended.targets.received("r_404"))
    assert "done: 2 of 2" in cli(ended, *everything, "--why", "x", "--yes").stderr
    eventually(lambda: len(ended.targets.received("r_404") + ended.targets.received("r_405")) == 4, "both are sent")
    (job,) = ask(ended, "jobs", "list")
    assert ("done", 2, "ann", "x") == (job["state"], job["total"], job["actor"], job["why"])
    cli(ended, "jobs", "pause", "none", code=NOT_FOUND)
    cli(ended, "jobs", "resume", "none", code=NOT_FOUND)


def test_a_canary_that_fails_stops_the_job_until_somebody_resumes_it(ended: Bench) -> None:
    """Exit code 1."""
    said = cli(ended, "dlq", "requeue", "--all", "--reason", "http_404", "--why", "x", "-y", "--canary", "1", code=1)
    assert "1 of the canary failed" in said.stderr
    (job,) = ask(ended, "jobs", "list")
    assert ("stopped", 1) == (job["state"], job["started"])
    cli(ended, "jobs", "resume", job["id"])
    eventually(lambda: len(ended.targets.received("r_404") + ended.targets.received("r_405")) == 4, "the rest")


def test_a_purge_wants_to_be_meant_and_takes_only_what_has_ended(ended: Bench) -> None:
    """What is delivered or under way is no letter."""
    assert "give --yes" in cli(ended, "dlq", "purge", "r_404", code=REFUSED).stderr
    cli(ended, "dlq", "purge", code=USAGE)
    assert "Deleted 1" in cli(ended, "dlq", "purge", "r_404", "r_ok", "--yes").stderr
    assert ({}, "done") == (ended.record("r_404"), ended.record("r_ok")["state"])
    cli(ended, "dlq", "purge", "--all", "--state", "unknown", "--yes")
    assert ["r_405"] == [one["id"] for one in ask(ended, "dlq", "list")]
    cli(ended, "dlq", "purge", "r_404", "--yes", code=NOT_FOUND)


def test_targets_are_paused_limited_and_resumed(bench: Bench) -> None:
    """From this moment on, for the whole fleet."""
    bench.worker()
    origin = bench.targets.origin("good")
    assert "has no invocations" in cli(bench, "targets", "pause", "http://new:80").stderr
    cli(bench, "targets", "pause", origin)
    bench.accept("r_1", "good")
    cli(bench, "targets", "limit", origin, "--rate", "100", "--concurrency", "2")
    cli(bench, "targets", "limit", origin, "--action", "deploy", "--concurrency", "1")
    lines = {line["lane"] or line["target"]: line for line in ask(bench, "targets", "list")}
    assert {"paused": True, "rate": 100, "concurrency": 2} == lines[origin]["control"]
    assert (1, 1) == (lines[f"{origin} deploy"]["waiting"], lines[f"{origin} deploy"]["control"]["concurrency"])
    assert f"{origin}\t\t1\t0" in cli(bench, "targets", "list").stdout
    assert "waiting" == bench.record("r_1")["state"]
    cli(bench, "targets", "resume", origin)
    bench.ends("r_1", "done", "delivered")
    cli(bench, "targets", "limit", origin, "--clear")
    cli(bench, "targets", "limit", origin, code=USAGE)
    cli(bench, "targets", "limit", origin, "--action", "deploy", "--rate", "1", code=USAGE)
    cli(bench, "targets", "limit", origin, "--rate", "nan", code=USAGE)


def test_the_status_is_what_the_ledger_says(ended: Bench) -> None:
    """In ten lines, or as JSON."""
    found = ask(ended, "status")
    assert (2, 1, 4, 1, 1) == (
        found["dead letters"],
        found["unknown outcomes"],
        found["accepted in all"],
        found["delivered in all"],
        found["worker processes"],
    )
    assert "dead letters\t2" in cli(ended, "status").stdout


def test_settings_that_are_wrong_and_times_that_are_none_are_said(bench: Bench) -> None:
    """Exit codes 78 and 2, no traceback."""
    cli(bench, "dlq", "list", "--since", "yesterday", code=USAGE)
    assert "did you mean 'unknown'" in cli(bench, "dlq", "list", "--state", "unkown", code=USAGE).stderr
    del bench.environ["PORT_CLIENT_SECRET"]
    assert "PORT_CLIENT_SECRET" in cli(bench, "status", code=CONFIG).stderr


def test_a_celery_task_sends_again_and_wants_actor_and_reason(ended: Bench) -> None:
    """For scripts that speak Celery; what cannot be done fails as a task, and sends nothing."""
    app = make_app(ended.settings)
    for arguments in (("r_404",), ("r_404", "bob", " "), ("r_404", "", "why"), ("r_ok", "bob", "why")):
        app.send_task("requeue", arguments)
    app.send_task("requeue", ("r_404", "bob", "hook is back"))
    eventually(lambda: ended.record("r_404")["generation"] == "2", "it is sent again")
    eventually(lambda: ended.record("r_404")["state"] == "dead", "it fails again")
    history = ask(ended, "show", "r_404")[0]["history"]
    assert [("bob", "hook is back")] == [(one["requeued_by"], one["why"]) for one in history if "requeued_by" in one]
    assert 1 == len(ended.targets.received("r_ok"))


def test_what_never_was_tried_has_a_cause_too(bench: Bench) -> None:
    """Refused at intake: the reason in words, and what helps."""
    bench.accept("r_1", "good", dead="bad_signature")
    assert "PORT_CLIENT_SECRET_PREVIOUS" in cli(bench, "show", "r_1").stdout
    assert "fits none of our client secrets" in ask(bench, "show", "r_1")[0]["cause"]
    everything = ("dlq", "requeue", "--all", "--why", "x", "--yes", "--no-wait")
    assert "1 bad_signature are excluded" in cli(bench, *everything, code=NOT_FOUND).stderr
    assert "1 to requeue" in cli(bench, *everything, "--reason", "bad_signature").stderr
