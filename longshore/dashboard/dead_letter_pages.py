"""The tab of dead letters: search, requeue of some or all, export."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from longshore.dashboard import invocation_view, request_params
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.handlers import Handler, PageHandler
from longshore.ledger.filter_parsing import KINDS
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.requeue import REQUEUED
from longshore.operations.requeue import MAX_JOB, requeue, requeue_all, select

PAGE_SIZE = 50
"""Rows of a page."""

EXPORT_BATCH_SIZE = 500
"""Records that are read and unsealed at once for an export."""


class DeadLettersPage(PageHandler):
    """The list, newest first, with the counts of each reason."""

    tab = "dead-letters"

    @authenticated
    async def get(self) -> None:
        """One page of it."""
        parsed_filter = self.parse_filter()
        page, counts = await self.run_in_thread(
            _read_page, self.context, parsed_filter, self.get_query_argument("after", "")
        )
        self.render(
            "longshore_dead_letters.html",
            filter=parsed_filter,
            page=page,
            counts=counts,
            kinds=KINDS,
            requeue_result=_parse_requeue_result(self),
        )

    @authenticated
    async def post(self) -> None:
        """Requeues the selected ones."""
        requeue_request = request_params.parse_requeue(self.user, lambda name: self.get_body_argument(name, ""))
        picks = [_parse_pick(pick) for pick in self.get_body_arguments("pick")]
        if not picks:
            raise request_params.BadRequest("nothing was selected")
        results = await self.run_in_thread(requeue, self.context.requeue_access, picks, requeue_request)
        requeued_count = sum(outcome in REQUEUED for _, outcome in results)
        query = self.parse_filter().to_query(requeued=str(requeued_count), unchanged=str(len(results) - requeued_count))
        self.redirect(f"{self.reverse_url('longshore-dead-letters')}?{query}")


class RequeueAllPage(PageHandler):
    """A preview of a requeue of all that match, and its start."""

    tab = "dead-letters"

    @authenticated
    async def get(self) -> None:
        """The counts, with the time of the preview as `until`: what ends later is not requeued."""
        fields = {"until": datetime.now(UTC).isoformat(timespec="milliseconds"), **self.parse_filter().fields}
        parsed_filter = request_params.ParsedFilter.parse(lambda name: fields.get(name, ""))
        selection = await self.run_in_thread(select, self.context.access, parsed_filter.filter, MAX_JOB)
        self.render(
            "longshore_requeue_all.html",
            filter=parsed_filter,
            counts=selection.counts,
            total=selection.total,
            max_job=MAX_JOB,
            left_out_count=selection.excluded_count,
        )

    @authenticated
    async def post(self) -> None:
        """Starts the job that was previewed."""
        parsed_filter = request_params.ParsedFilter.parse(lambda name: self.get_body_argument(name, ""))
        requeue_request = request_params.parse_requeue(self.user, lambda name: self.get_body_argument(name, ""))
        job = await self.run_in_thread(requeue_all, self.context.requeue_access, parsed_filter.filter, requeue_request)
        self.redirect(f"{self.reverse_url('longshore-jobs')}?job={job.id}")


class ExportHandler(Handler):
    """All that match as JSON lines, streamed while they are read, so that an export of any size takes little memory."""

    @authenticated
    async def get(self) -> None:
        """Streams the lines. Payloads stay sealed."""
        histories = self.context.access.invocations.find_with_history(self.parse_filter().filter)
        lines = await self.run_in_thread(_format_lines, histories)
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("Content-Disposition", 'attachment; filename="dead-letters.jsonl"')
        try:
            while lines:
                self.write(lines)
                await self.flush()
                lines = await self.run_in_thread(_format_lines, histories)
        except StreamClosedError:
            return  # the client has gone

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The error as plain text."""
        status, text = self.describe_error(status_code, kwargs.get("exc_info", (None, None))[1])
        if status == 401:
            super().write_error(401)
            return
        self.set_status(status)
        self.finish(f"{text}\n")


def _read_page(
    context: DashboardContext, parsed_filter: request_params.ParsedFilter, after: str
) -> tuple[Any, Counter[str] | None]:
    page = context.access.pages.page(parsed_filter.filter, after, PAGE_SIZE)
    counts_by_state = context.counts.get(replace(parsed_filter.filter, reason="", text=""))
    if counts_by_state is None:
        return page, None
    counts: Counter[str] = Counter()
    for (_, reason), count in counts_by_state.items():
        counts[reason] += count
    return page, counts


def _format_lines(histories: Iterator[tuple[InvocationRecord, list[dict[str, Any]]]]) -> str:
    batch = islice(histories, EXPORT_BATCH_SIZE)
    return "".join(
        f"{json.dumps({**invocation_view.record_as_json(record), 'history': history})}\n" for record, history in batch
    )


def _parse_pick(text: str) -> tuple[str, int | None]:
    generation, _, id = text.partition(":")
    if not (generation.isdecimal() and generation.isascii() and id):
        raise request_params.BadRequest("a selected row is not <generation>:<id>")
    return id, int(generation)


def _parse_requeue_result(page: PageHandler) -> tuple[int, int] | None:
    """How many a requeue sent again and how many it left unchanged, from the redirect's query; None without one."""
    numbers = [page.get_query_argument(name, "") for name in ("requeued", "unchanged")]
    if not all(number.isdecimal() and number.isascii() and len(number) < 7 for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1])
