"""The page of an invocation, and the tabs of targets and jobs."""

from typing import Any

from tornado.web import authenticated

from longshore.dashboard import facts, request_params, target_overview
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.handlers import Page
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.requeue import OUTCOME_TEXT, REQUEUED
from longshore.operations.requeue import requeue
from longshore.operations.steer import Limits, steer_job, steer_target


class FindPage(Page):
    """From the search box to the page of what is looked for."""

    @authenticated
    def get(self) -> None:
        """Whether there is such a thing, that page says."""
        id = self.get_query_argument("id", "")[:1000]
        if not id:
            raise request_params.BadRequest("give a run id")
        self.redirect(self.reverse_url("longshore-invocation", id))


class InvocationPage(Page):
    """Everything about one invocation."""

    tab = "letters"

    @authenticated
    async def get(self, name: str) -> None:
        """Its page, under its run id, our own id, or Celery's."""
        others, told = await self.ask(_told, self.agent, name)
        if told is None:
            raise request_params.BadRequest(
                f"nothing is known of {name[:200]}: never accepted, delivered long ago, or another agent's", 404
            )
        became = self.get_query_argument("became", "")
        self.render(
            "longshore_invocation.html", told=told, others=others, became=OUTCOME_TEXT.get(became, ""),
            went=became in REQUEUED,
        )  # fmt: skip

    @authenticated
    async def post(self, name: str) -> None:
        """Sends it again."""
        self.changes()
        order = request_params.order(self.actor, lambda field: self.get_body_argument(field, ""))
        generation = request_params.number(self.get_body_argument("generation"), "generation", least=1)
        [(id, became)] = await self.ask(requeue, self.agent.requeues, [(name, int(generation))], order)
        self.redirect(f"{self.reverse_url('longshore-invocation', id)}?became={became}")


class TargetsPage(Page):
    """Targets and lanes, and steering them."""

    tab = "targets"

    @authenticated
    async def get(self) -> None:
        """The table."""
        rows = await self.ask(target_overview.targets, self.agent)
        self.render("longshore_targets.html", rows=rows, limited=target_overview.limited)

    @authenticated
    async def post(self) -> None:
        """Pauses, resumes or limits one."""
        self.changes()
        act = self.get_body_argument("do")
        target, action = self.get_body_argument("target"), self.get_body_argument("action", "")
        limits: Limits = {}
        if act == "limit":
            concurrency = self.get_body_argument("concurrency", "")
            limits["concurrency"] = int(request_params.number(concurrency, "at once", least=1)) if concurrency else None
            if not action:
                rate = self.get_body_argument("rate", "")
                limits["rate"] = request_params.number(rate, "rate") if rate else None
        await self.ask(steer_target, self.agent.access, target, action, act, self.actor, limits)
        self.redirect(self.reverse_url("longshore-targets"))


class JobsPage(Page):
    """Requeue jobs, and steering them."""

    tab = "jobs"

    @authenticated
    async def get(self) -> None:
        """The table."""
        jobs = await self.ask(self.agent.access.requeue.jobs)
        self.render("longshore_jobs.html", jobs=jobs, started=self.get_query_argument("started", ""))

    @authenticated
    async def post(self) -> None:
        """Pauses or resumes one."""
        self.changes()
        job, act = self.get_body_argument("job"), self.get_body_argument("do")
        await self.ask(steer_job, self.agent.access, job, act, self.actor)
        self.redirect(self.reverse_url("longshore-jobs"))


def _told(agent: DashboardContext, name: str) -> tuple[list[InvocationRecord], dict[str, Any] | None]:
    letters = facts.named(agent, name)
    return (letters[1:], facts.facts(agent, letters[0])) if letters else ([], None)
