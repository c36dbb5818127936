"""The tab of targets and their actions."""

from urllib.parse import urlencode

from tornado.web import authenticated

from longshore.dashboard import request_params, target_overview
from longshore.dashboard.handlers import PageHandler
from longshore.ledger.intake import read_stop
from longshore.operations.steer import TargetLimits, steer_target

PAGE_SIZE = 100
"""Rows of a page."""


class TargetsPage(PageHandler):
    """Targets and lanes, and steering them."""

    tab = "targets"

    @authenticated
    async def get(self) -> None:
        """A page of the table."""
        after = self.get_query_argument("after", "", strip=False)
        table = await self.run_in_thread(target_overview.read_table, self.context, after, PAGE_SIZE)
        intake_stop = await self.run_in_thread(read_stop, self.context.access.ledger)
        self.render(
            "longshore_targets.html",
            table=table,
            intake_stop=intake_stop,
            format_limits=target_overview.format_limits,
        )

    @authenticated
    async def post(self) -> None:
        """Pauses, resumes or limits one, and shows the page that it was on."""
        command = self.get_body_argument("do")
        target, action = self.get_body_argument("target"), self.get_body_argument("action", "")
        limits = self._parse_limits(action) if command == "limit" else {}
        await self.run_in_thread(steer_target, self.context.access, target, action, command, self.actor, limits)
        after = self.get_query_argument("after", "", strip=False)
        query = f"?{urlencode({'after': after})}" if after else ""
        self.redirect(f"{self.reverse_url('longshore-targets')}{query}")

    def _parse_limits(self, action: str) -> TargetLimits:
        """The limits in the form; an empty field clears a limit. An action has no rate of its own."""
        concurrency = self.get_body_argument("concurrency", "")
        limits: TargetLimits = {
            "concurrency": int(request_params.parse_number(concurrency, "at once", minimum=1)) if concurrency else None
        }
        if not action:
            rate = self.get_body_argument("rate", "")
            limits["rate"] = request_params.parse_number(rate, "rate") if rate else None
        return limits
