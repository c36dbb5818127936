"""The JSON API: all that the pages show and do, for programs (docs/reference/api.md)."""

from dataclasses import asdict
from typing import Any

from longshore.dashboard import facts, formatting, request_params, target_overview
from longshore.dashboard.handlers import Api
from longshore.ledger.filter_parsing import FIELDS
from longshore.ledger.requeue import RequeueJob
from longshore.ledger.stats import read_stats
from longshore.operations.find import count
from longshore.operations.requeue import MAX_JOB, requeue, requeue_all, select
from longshore.operations.steer import Limits, steer_job, steer_target

LARGEST_PAGE = 500
MOST_IDS = 1_000


class LettersApi(Api):
    """Dead letters and unknown outcomes, newest first."""

    async def get(self) -> None:
        """A page of them."""
        wanted = self.wanted()
        size = request_params.number(self.get_query_argument("limit", ""), "limit", 50, least=1)
        after = self.get_query_argument("after", "")
        page = await self.ask(self.agent.access.pages.page, wanted.filter, after, min(int(size), LARGEST_PAGE))
        rows = [facts.clear(letter) for letter in page.letters]
        self.answer({"letters": rows, "after": page.after or None, "cut_short": page.cut_short})


class CountsApi(Api):
    """How many there are of each state and reason."""

    async def get(self) -> None:
        """The counts of what fits."""
        counts = await self.ask(count, self.agent.access, self.wanted().filter, MAX_JOB)
        self.answer(_counted(counts))


class InvocationApi(Api):
    """Everything about one invocation."""

    async def get(self, name: str) -> None:
        """Itself, and what else ended under its run id."""
        letters = await self.ask(facts.named, self.agent, name)
        if not letters:
            raise request_params.BadRequest("nothing of that id is known", 404)
        document = await self.ask(facts.facts, self.agent, letters[0], True)
        self.answer({**document, "others": [facts.clear(letter) for letter in letters[1:]]})


class RequeueApi(Api):
    """Sending again."""

    async def post(self) -> None:
        """`ids` at once, or `all` that `filter` takes as a job; with `dry_run` only how many that would be."""
        self.changes()
        given = self.given()
        chosen = given.get("ids")
        if (chosen is None) == (given.get("all") is not True):
            raise request_params.BadRequest("give ids, or all with a filter")
        dry_run = request_params.flag(given.get("dry_run"))
        order = request_params.order(self.actor, given.get if not dry_run else ({"why": "dry run"} | given).get)
        if chosen is None:
            await self._all(given, order, dry_run)
        else:
            await self._some(chosen, order, dry_run)

    async def _some(self, chosen: Any, order: Any, dry_run: bool) -> None:
        if not (isinstance(chosen, list) and all(isinstance(id, str) for id in chosen)):
            raise request_params.BadRequest("ids must be a list of texts")
        if len(chosen) > MOST_IDS:
            raise request_params.BadRequest(f"give at most {MOST_IDS} ids, or all with a filter")
        if dry_run:
            letters = await self.ask(self.agent.access.invocations.read, chosen)
            self.answer({"dry_run": True, "found": [facts.clear(letter) for letter in letters]})
            return
        results = await self.ask(requeue, self.agent.requeues, [(id, None) for id in chosen], order)
        self.answer({"results": [{"id": id, "became": outcome} for id, outcome in results]})

    async def _all(self, given: dict[str, Any], order: Any, dry_run: bool) -> None:
        fields = given.get("filter", {})
        if not isinstance(fields, dict):
            raise request_params.BadRequest("filter must be an object")
        wanted = request_params.ParsedFilter.of(lambda name: request_params.text(fields.get(name)))
        if unknown := fields.keys() - FIELDS:
            # One that is not understood would send again more than was meant.
            raise request_params.BadRequest(f"filter has no field {min(unknown)[:50]}")
        cap = int(request_params.number(given.get("cap"), "cap", MAX_JOB, least=1))
        if dry_run:
            selection = await self.ask(select, self.agent.access, wanted.filter, cap)
            self.answer({"dry_run": True, **_counted(selection.counts), "left_out": selection.left_out})
            return
        self.answer(_job(await self.ask(requeue_all, self.agent.requeues, wanted.filter, order, cap)), 202)


class TargetsApi(Api):
    """Targets and lanes."""

    async def get(self) -> None:
        """All of which anything is known now."""
        rows = await self.ask(target_overview.targets, self.agent)
        self.answer({"targets": [row.json() for row in rows]})


class SteerTargetApi(Api):
    """Pausing, resuming and limiting."""

    async def post(self, act: str) -> None:
        """Of `target`, or of one `action` of it."""
        self.changes()
        given = self.given()
        limits: Limits = {}
        if act == "limit":
            if "rate" in given:
                limits["rate"] = None if given["rate"] is None else request_params.number(given["rate"], "rate")
            if "concurrency" in given:
                most = given["concurrency"]
                limits["concurrency"] = (
                    None if most is None else int(request_params.number(most, "concurrency", least=1))
                )
            if not limits:
                raise request_params.BadRequest("give rate or concurrency; null takes a limit back")
        target, action = request_params.text(given.get("target")), request_params.text(given.get("action"))
        gate = await self.ask(steer_target, self.agent.access, target, action, act, self.actor, limits)
        self.answer({"target": target, "action": action, **asdict(gate)})


class JobsApi(Api):
    """Requeue jobs."""

    async def get(self) -> None:
        """All that are kept, newest first."""
        self.answer({"jobs": [_job(job) for job in await self.ask(self.agent.access.requeue.jobs)]})


class JobApi(Api):
    """One requeue job."""

    async def get(self, id: str) -> None:
        """How far it is."""
        job = await self.ask(self.agent.access.requeue.job, id)
        if job is None:
            raise request_params.BadRequest("there is no such job", 404)
        self.answer(_job(job))


class SteerJobApi(Api):
    """Pausing and resuming a job."""

    async def post(self, id: str, act: str) -> None:
        """Returns the job as it is then."""
        self.changes()
        self.answer(_job(await self.ask(steer_job, self.agent.access, id, act, self.actor)))


class StatusApi(Api):
    """The agent in numbers."""

    async def get(self) -> None:
        """See `longshore.ledger.stats`."""
        self.answer(await self.ask(read_stats, self.agent.access.ledger))


class UnknownApi(Api):
    """Whatever else is asked of the API."""

    def get(self) -> None:
        """404, as JSON."""
        raise request_params.BadRequest("there is no such address in the API", 404)


def _counted(counts: Any) -> dict[str, Any]:
    rows = [{"state": state, "reason": reason, "count": count} for (state, reason), count in counts.most_common()]
    return {"total": sum(counts.values()), "counts": rows}


def _job(job: RequeueJob) -> dict[str, Any]:
    return {**asdict(job), "created": formatting.iso(job.created_ms)}
