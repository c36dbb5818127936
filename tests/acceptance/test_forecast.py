"""A run that waits long for its target is told in Port's log what is ahead of it."""

from longshore.delivery.target import target_of
from longshore.ledger.target_control import TargetControl
from longshore.operations.ledger_access import open_ledger
from tests.support.programs import eventually

from .conftest import Bench


def test_runs_behind_a_paused_target_are_told_once_how_many_are_ahead(bench: Bench) -> None:
    """And are delivered as ever once it is resumed."""
    bench.environ["WAIT_ESTIMATE_AFTER_S"] = "1"
    targets = open_ledger(bench.settings).targets
    target = target_of(bench.targets.url("good"))
    targets.set(target, "", TargetControl(paused=True))
    bench.worker()
    for number in range(3):
        bench.accept(f"r_{number}", "good")

    eventually(lambda: "; 2 ahead." in logs(bench, "r_2"), "the forecast in the log of the last run")
    assert "its target was paused by an operator; none ahead." in logs(bench, "r_0")
    targets.set(target, "", TargetControl())
    for number in range(3):
        bench.ends(f"r_{number}", "done", "delivered")
        eventually(lambda: "Delivered" in logs(bench, f"r_{number}"))  # noqa: B023
        assert 1 == logs(bench, f"r_{number}").count("Waiting:")


def logs(bench: Bench, run_id: str) -> str:
    """What the log of the run says in Port."""
    return "\n".join(
        str(call.body["message"])
        for call in bench.port.calls
        if call.name == "run_log" and f"/{run_id}/" in call.path and call.status < 300
    )
