"""`POST requeue` of the JSON API: some invocations at once, or all that match a filter as a job."""

from typing import Any

from longshore.dashboard import invocation_view, request_params
from longshore.dashboard.api_json import counts_as_json, job_as_json
from longshore.dashboard.handlers import ApiHandler
from longshore.ledger.filter_parsing import FIELDS
from longshore.ledger.requeue import RequeueRequest
from longshore.operations.requeue import MAX_JOB, requeue, requeue_all, select

MAX_IDS = 1_000


class RequeueApi(ApiHandler):
    """Requeue of invocations."""

    async def post(self) -> None:
        """Requeues `ids` at once, or `all` that match `filter` as a job; `dry_run` only shows what that would send."""
        body = self.read_json_body()
        ids = body.get("ids")
        if (ids is None) == (body.get("all") is not True):
            raise request_params.BadRequest("give ids, or all with a filter")
        dry_run = request_params.parse_flag(body.get("dry_run"))
        fields = {"why": "dry run"} | body if dry_run else body
        request = request_params.parse_requeue(self.user, fields.get)
        if ids is None:
            await self._requeue_all(body, request, dry_run)
        else:
            await self._requeue_ids(ids, request, dry_run)

    async def _requeue_ids(self, ids: Any, request: RequeueRequest, dry_run: bool) -> None:
        if not (isinstance(ids, list) and all(isinstance(id, str) for id in ids)):
            raise request_params.BadRequest("ids must be a list of texts")
        if len(ids) > MAX_IDS:
            raise request_params.BadRequest(f"give at most {MAX_IDS} ids, or all with a filter")
        if dry_run:
            records = await self.run_in_thread(self.context.access.invocations.read, ids)
            self.write_json({"dry_run": True, "found": [invocation_view.record_as_json(record) for record in records]})
            return
        picks = [(id, None) for id in ids]
        results = await self.run_in_thread(requeue, self.context.requeue_access, picks, request)
        self.write_json({"results": [{"id": id, "outcome": outcome} for id, outcome in results]})

    async def _requeue_all(self, body: dict[str, Any], request: RequeueRequest, dry_run: bool) -> None:
        fields = body.get("filter", {})
        if not isinstance(fields, dict):
            raise request_params.BadRequest("filter must be an object")
        parsed_filter = request_params.ParsedFilter.parse(lambda name: request_params.parse_text(fields.get(name)))
        if unknown_fields := fields.keys() - FIELDS:
            # Ignoring a misspelt field would requeue more than the caller wants.
            raise request_params.BadRequest(f"filter has no field {min(unknown_fields)[:50]}")
        cap = int(request_params.parse_number(body.get("cap"), "cap", MAX_JOB, minimum=1))
        if dry_run:
            selection = await self.run_in_thread(select, self.context.access, parsed_filter.filter, cap)
            self.write_json({"dry_run": True, **counts_as_json(selection.counts), "left_out": selection.excluded_count})
            return
        access = self.context.requeue_access
        job = await self.run_in_thread(requeue_all, access, parsed_filter.filter, request, cap)
        self.write_json(job_as_json(job), 202)
