"""The JSON API: all that the pages show and do, for programs (docs/reference/api.md)."""

from dataclasses import asdict
from typing import Any

from longshore.dashboard import invocation_view, request_params, target_overview
from longshore.dashboard.api_json import counts_as_json, job_as_json
from longshore.dashboard.handlers import ApiHandler
from longshore.dashboard.overview import intake_as_json, read_overview
from longshore.ledger.intake import read_stop
from longshore.ledger.stats import read_stats
from longshore.operations.find import count_invocations
from longshore.operations.requeue import MAX_JOB
from longshore.operations.steer import TargetLimits, steer_job, steer_target

MAX_PAGE_SIZE = 500


class OverviewApi(ApiHandler):
    """The fleet now, and what it did in the last hour and day."""

    async def get(self) -> None:
        """The overview."""
        overview = await self.run_in_thread(read_overview, self.context)
        self.write_json(overview.as_json())


class LettersApi(ApiHandler):
    """Dead letters and unknown outcomes, newest first."""

    async def get(self) -> None:
        """A page of them."""
        parsed_filter = self.parse_filter()
        size = request_params.parse_number(self.get_query_argument("limit", ""), "limit", 50, minimum=1)
        after = self.get_query_argument("after", "")
        read_page = self.context.access.pages.page
        page = await self.run_in_thread(read_page, parsed_filter.filter, after, min(int(size), MAX_PAGE_SIZE))
        rows = [invocation_view.record_as_json(record) for record in page.records]
        self.write_json({"letters": rows, "after": page.after or None, "cut_short": page.timed_out})


class CountsApi(ApiHandler):
    """Counts by state and reason."""

    async def get(self) -> None:
        """The counts of all that match."""
        counts = await self.run_in_thread(count_invocations, self.context.access, self.parse_filter().filter, MAX_JOB)
        self.write_json(counts_as_json(counts))


class InvocationApi(ApiHandler):
    """Everything about one invocation."""

    async def get(self, name: str) -> None:
        """The invocation, and other records under its run id."""
        records = await self.run_in_thread(invocation_view.find_records, self.context, name)
        if not records:
            raise request_params.BadRequest("no invocation has this id", 404)
        document = await self.run_in_thread(invocation_view.build_view, self.context, records[0], True)
        self.write_json({**document, "others": [invocation_view.record_as_json(record) for record in records[1:]]})


class TargetsApi(ApiHandler):
    """Targets and lanes."""

    async def get(self) -> None:
        """All that the ledger has data of, or had in the last day."""
        table = await self.run_in_thread(target_overview.read_table, self.context)
        self.write_json(
            {
                "targets": [row.as_json() for row in table.rows],
                "waiting_left_out": table.waiting_left_out,
                "idle_left_out": table.idle_left_out,
                "others_last_day": asdict(table.others),
            }
        )


class SteerTargetApi(ApiHandler):
    """Pausing, resuming and limiting."""

    async def post(self, command: str) -> None:
        """Of `target`, or of one `action` of it."""
        body = self.read_json_body()
        limits = _parse_limits(body) if command == "limit" else {}
        target, action = request_params.parse_text(body.get("target")), request_params.parse_text(body.get("action"))
        control = await self.run_in_thread(
            steer_target, self.context.access, target, action, command, self.actor, limits
        )
        self.write_json({"target": target, "action": action, **asdict(control)})


class JobsApi(ApiHandler):
    """Requeue jobs."""

    async def get(self) -> None:
        """All that are stored, newest first."""
        jobs = await self.run_in_thread(self.context.access.requeue.jobs)
        self.write_json({"jobs": [job_as_json(job) for job in jobs]})


class JobApi(ApiHandler):
    """One requeue job."""

    async def get(self, id: str) -> None:
        """Its progress."""
        job = await self.run_in_thread(self.context.access.requeue.job, id)
        if job is None:
            raise request_params.BadRequest("there is no such job", 404)
        self.write_json(job_as_json(job))


class SteerJobApi(ApiHandler):
    """Pausing and resuming a job."""

    async def post(self, id: str, command: str) -> None:
        """Answers the job as it is then."""
        self.write_json(job_as_json(await self.run_in_thread(steer_job, self.context.access, id, command, self.actor)))


class StatusApi(ApiHandler):
    """The numbers of the agent."""

    async def get(self) -> None:
        """See `longshore.ledger.stats`; and who stopped intake."""
        ledger = self.context.access.ledger
        stats = await self.run_in_thread(read_stats, ledger)
        stop = await self.run_in_thread(read_stop, ledger)
        self.write_json({**stats, "intake_stopped": intake_as_json(stop)})


class UnknownApi(ApiHandler):
    """Any other address under the API."""

    def get(self) -> None:
        """404, as JSON."""
        raise request_params.BadRequest("there is no such address in the API", 404)


def _parse_limits(body: dict[str, Any]) -> TargetLimits:
    """The limits in `body`; null clears one, and a missing one stays as it is."""
    limits: TargetLimits = {}
    if "rate" in body:
        rate = body["rate"]
        limits["rate"] = None if rate is None else request_params.parse_number(rate, "rate")
    if "concurrency" in body:
        concurrency = body["concurrency"]
        if concurrency is not None:
            concurrency = int(request_params.parse_number(concurrency, "concurrency", minimum=1))
        limits["concurrency"] = concurrency
    if not limits:
        raise request_params.BadRequest("give rate or concurrency; null clears a limit")
    return limits
