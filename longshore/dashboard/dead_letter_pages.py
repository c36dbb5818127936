"""The tab of dead letters: looking for them, sending some or all of them again, taking them along as a file."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from longshore.dashboard import facts, request_params
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.handlers import Handler, Page
from longshore.ledger.filter_parsing import KINDS
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.requeue import REQUEUED
from longshore.operations.requeue import MAX_JOB, requeue, requeue_all, select

SIZE = 50
"""Rows of a page."""

EXPORT_STEP = 500
"""Letters that are opened at once for an export."""


class LettersPage(Page):
    """The list, newest first, with how many there are of each reason."""

    tab = "letters"

    @authenticated
    async def get(self) -> None:
        """One page of it."""
        wanted = self.wanted()
        page, counts = await self.ask(_listed, self.agent, wanted, self.get_query_argument("after", ""))
        self.render(
            "longshore_letters.html",
            wanted=wanted,
            page=page,
            counts=counts,
            kinds=KINDS,
            done=_done(self),
        )

    @authenticated
    async def post(self) -> None:
        """Sends the selected ones again."""
        self.changes()
        order = request_params.order(self.actor, lambda name: self.get_body_argument(name, ""))
        picks = [_pick(pick) for pick in self.get_body_arguments("pick")]
        if not picks:
            raise request_params.BadRequest("nothing was selected")
        results = await self.ask(requeue, self.agent.requeues, picks, order)
        again = sum(became in REQUEUED for _, became in results)
        back = self.wanted().query(requeued=str(again), left=str(len(results) - again))
        self.redirect(f"{self.reverse_url('longshore-letters')}?{back}")


class RequeueAllPage(Page):
    """A preview of what a requeue of all that fits would send, and starting it."""

    tab = "letters"

    @authenticated
    async def get(self) -> None:
        """Only counts. What ends from now on is not meant."""
        words = {"until": datetime.now(UTC).isoformat(timespec="milliseconds"), **self.wanted().words}
        wanted = request_params.ParsedFilter.of(lambda name: words.get(name, ""))
        selection = await self.ask(select, self.agent.access, wanted.filter, MAX_JOB)
        self.render(
            "longshore_requeue_all.html",
            wanted=wanted,
            counts=selection.counts,
            total=selection.total,
            most=MAX_JOB,
            left_out=selection.left_out,
        )

    @authenticated
    async def post(self) -> None:
        """Starts the job that was previewed."""
        self.changes()
        wanted = request_params.ParsedFilter.of(lambda name: self.get_body_argument(name, ""))
        order = request_params.order(self.actor, lambda name: self.get_body_argument(name, ""))
        job = await self.ask(requeue_all, self.agent.requeues, wanted.filter, order)
        self.redirect(f"{self.reverse_url('longshore-jobs')}?started={job.id}")


class Export(Handler):
    """All that fits as JSON lines, as they are read: an export of any size takes little memory."""

    @authenticated
    async def get(self) -> None:
        """The lines. Messages themselves stay sealed."""
        told = self.agent.access.invocations.told(self.wanted().filter)
        lines = await self.ask(_lines, told)
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("Content-Disposition", 'attachment; filename="dead-letters.jsonl"')
        try:
            while lines:
                self.write(lines)
                await self.flush()
                lines = await self.ask(_lines, told)
        except StreamClosedError:
            return  # whoever wanted it has gone

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """In plain words."""
        status, text = self.problem(status_code, kwargs.get("exc_info", (None, None))[1])
        if status == 401:
            super().write_error(401)
            return
        self.set_status(status)
        self.finish(f"{text}\n")


def _listed(
    agent: DashboardContext, wanted: request_params.ParsedFilter, after: str
) -> tuple[Any, Counter[str] | None]:
    page = agent.access.pages.page(wanted.filter, after, SIZE)
    counted = agent.counts.of(replace(wanted.filter, reason="", text=""))
    if counted is None:
        return page, None
    counts: Counter[str] = Counter()
    for (_, reason), count in counted.items():
        counts[reason] += count
    return page, counts


def _lines(told: Iterator[tuple[InvocationRecord, list[dict[str, Any]]]]) -> str:
    step = islice(told, EXPORT_STEP)
    return "".join(f"{json.dumps({**facts.clear(letter), 'history': history})}\n" for letter, history in step)


def _pick(text: str) -> tuple[str, int | None]:
    generation, _, id = text.partition(":")
    if not (generation.isdecimal() and generation.isascii() and id):
        raise request_params.BadRequest("a selection makes no sense")
    return id, int(generation)


def _done(page: Page) -> tuple[int, int] | None:
    """How many a requeue sent again, and how many it left; None if there was none just now."""
    numbers = [page.get_query_argument(name, "") for name in ("requeued", "left")]
    if not all(number.isdecimal() and number.isascii() and len(number) < 7 for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1])
