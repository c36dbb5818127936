"""One way to send again, for commands, Flower, API and Celery's task."""

import pytest
import redis
from structlog.testing import capture_logs

from longshore.ledger.requeue import RequeueJob, RequeueRequest
from longshore.ledger.scan import Filter
from longshore.ledger.states import State
from longshore.log import events
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import NotFound, TooMany
from longshore.operations.requeue import requeue, requeue_all, select, start_job

from .conftest import end, put

ORDER = RequeueRequest("ann", "the target is back", rate=0)
REPLAY = RequeueRequest("ann", "once more", rate=0, replay=True)


def everything(access: LedgerAccess, client: "redis.Redis") -> dict[bytes, object]:
    """All but the clock, which every script keeps going."""
    return {key: client.dump(key) for key in client.scan_iter() if key.decode() != access.ledger.keys.clock}


def listed(access: LedgerAccess, job: RequeueJob) -> list[str]:
    """The ids that `job` is to send."""
    entries: list[bytes] = access.ledger.redis.lrange(f"{access.ledger.keys.job(job.id)}:ids", 0, -1)  # type: ignore[assignment]
    return [entry.partition(b":")[2].decode() for entry in entries]


@pytest.mark.parametrize("order", [ORDER, REPLAY], ids=["requeue", "replay"])
def test_a_dry_run_says_what_the_act_then_does_and_changes_nothing(
    access: LedgerAccess, client: "redis.Redis", order: RequeueRequest
) -> None:
    """Both are answered by one script; it looks at more than the state."""
    put(access, "r_dead", "r_gone_payload", "r_changed")
    end(access)
    put(access, "r_done")
    end(access, State.DONE, "delivered")
    put(access, "r_waiting")
    client.delete(access.ledger.keys.payload("r_gone_payload"))
    picks = [("r_dead", 1), ("r_gone_payload", None), ("r_changed", 2), ("r_done", 1), ("r_waiting", None), ("r_x", 1)]
    before = everything(access, client)

    foretold = requeue(access, picks, order, dry_run=True)

    assert before == everything(access, client)
    assert foretold == requeue(access, picks, order)
    done = "requeued" if order.replay else "delivered"
    assert ["requeued", "no_payload", "changed", done, "busy", "gone"] == [outcome for _, outcome in foretold]


def test_each_act_is_one_line_in_the_log(access: LedgerAccess) -> None:
    """Who, why, and how many became what; a dry run is no act."""
    put(access, "r_1", "r_2")
    end(access)
    with capture_logs() as lines:
        requeue(access, [("r_1", None)], ORDER, dry_run=True)
        requeue(access, [("r_1", None), ("r_1", None), ("r_x", None)], ORDER)
        requeue_all(access, Filter(), ORDER)

    assert [events.OPERATOR_REQUEUED.name, events.OPERATOR_JOB_STARTED.name] == [line["event"] for line in lines]
    assert ("ann", "the target is back", 1, 1, 1) == tuple(
        lines[0][name] for name in ("actor", "why", "requeued", "busy", "gone")
    )
    assert 1 == lines[1]["total"]


def test_a_bad_signature_is_requeued_among_many_only_where_it_is_asked_for(access: LedgerAccess) -> None:
    """Whoever may write to the topic could have anything carried out as soon as somebody requeues the rest."""
    put(access, "r_1")
    end(access)
    put(access, "r_2", "r_3", dead="bad_signature")

    for filter, ids in ((Filter(), ["r_1"]), (Filter(states=(State.DEAD,)), ["r_1"]),
                        (Filter(reason="http_404"), ["r_1"]),
                        (Filter(reason="bad_signature"), ["r_2", "r_3"])):  # fmt: skip
        selection = select(access, filter)
        job = start_job(access, selection, ORDER)
        assert ids == sorted(listed(access, job))
        assert len(ids) == job.total == selection.total
        assert selection.excluded_count == access.invocations.count(filter).total() - len(ids)
    assert 2 == select(access, Filter()).excluded_count


def test_what_ends_after_the_selection_is_not_sent(access: LedgerAccess) -> None:
    """Nobody has looked at it."""
    put(access, "r_1")
    end(access)
    selection = select(access, Filter())
    put(access, "r_2")
    while access.ledger.clock_ms() <= selection.filter.until_ms:
        pass
    end(access)

    assert 1 == start_job(access, selection, ORDER).total


def test_nothing_and_too_many_make_no_job(access: LedgerAccess) -> None:
    """Also where each has to be opened to be counted."""
    with pytest.raises(NotFound):
        requeue_all(access, Filter(), ORDER)
    put(access, "r_1", "r_2", "r_3")
    end(access)
    for filter, total in ((Filter(), 3), (Filter(text="no hook"), 2)):
        with pytest.raises(TooMany, match=f"{total} are more than the cap of 1"):
            requeue_all(access, filter, ORDER, cap=1)
    assert not access.requeue.jobs()
