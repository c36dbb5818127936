"""The first tab: the fleet at a glance."""

from tornado.web import authenticated

from longshore.dashboard import charts
from longshore.dashboard.handlers import PageHandler
from longshore.dashboard.overview import MEDIAN, SLOW, read_overview

HOUR, DAY = "hour", "day"


class FirstPage(PageHandler):
    """What Flower's address without a path leads to."""

    @authenticated
    def get(self) -> None:
        """The overview."""
        self.redirect(self.reverse_url("longshore-overview"))


class OverviewPage(PageHandler):
    """The fleet now, and charts of the last hour or day."""

    tab = "overview"

    @authenticated
    async def get(self) -> None:
        """The page; `span` is `day` for the charts of a day."""
        overview = await self.run_in_thread(read_overview, self.context)
        span = DAY if self.get_query_argument("span", HOUR) == DAY else HOUR
        spans = overview.activity.day if span == DAY else overview.activity.hour
        self.render(
            "longshore_overview.html",
            overview=overview,
            intake_stop=overview.intake_stop,
            now=overview.now,
            span=span,
            charts=charts.build_charts(spans),
            height=charts.HEIGHT,
            slot=charts.SLOT,
            bar_width=charts.SLOT - charts.GAP,
            sums=[("Last hour", overview.hour), ("Last day", overview.day)],
            shares=(MEDIAN, SLOW),
        )
