"""The page of one invocation, and the search box that leads to it."""

from typing import Any

from tornado.web import authenticated

from longshore.dashboard import invocation_view, request_params
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.handlers import PageHandler
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.requeue import OUTCOME_TEXT, REQUEUED
from longshore.operations.requeue import requeue

MAX_ID_CHARS = 1000


class SearchPage(PageHandler):
    """Redirects the search box to the page of an invocation."""

    @authenticated
    def get(self) -> None:
        """Whether there is such an invocation, that page says."""
        id = self.get_query_argument("id", "")[:MAX_ID_CHARS]
        if not id:
            raise request_params.BadRequest("give a run id")
        self.redirect(self.reverse_url("longshore-invocation", id))


class InvocationPage(PageHandler):
    """Everything about one invocation."""

    tab = "dead-letters"

    @authenticated
    async def get(self, name: str) -> None:
        """The page, by run id, the ledger's id, or Celery's task id."""
        view, others = await self.run_in_thread(_read_view, self.context, name)
        if view is None:
            problem = (
                f"no invocation matches {name[:200]}: it was never accepted, delivered long ago, or another agent's"
            )
            raise request_params.BadRequest(problem, 404)
        outcome = self.get_query_argument("outcome", "")
        self.render(
            "longshore_invocation.html",
            invocation=view,
            others=others,
            outcome_text=OUTCOME_TEXT.get(outcome, ""),
            is_requeued=outcome in REQUEUED,
        )

    @authenticated
    async def post(self, name: str) -> None:
        """Requeues or replays it, if it is still in the generation that the page showed."""
        request = request_params.parse_requeue(self.user, lambda field: self.get_body_argument(field, ""))
        generation = request_params.parse_number(self.get_body_argument("generation"), "generation", minimum=1)
        pick = (name, int(generation))
        [(id, outcome)] = await self.run_in_thread(requeue, self.context.requeue_access, [pick], request)
        self.redirect(f"{self.reverse_url('longshore-invocation', id)}?outcome={outcome}")


def _read_view(context: DashboardContext, name: str) -> tuple[dict[str, Any] | None, list[InvocationRecord]]:
    """The view of the invocation `name` (None where there is none), and the other records under its run id."""
    records = invocation_view.find_records(context, name)
    return (invocation_view.build_view(context, records[0]), records[1:]) if records else (None, [])
