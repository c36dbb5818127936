"""The tab of requeue jobs."""

from tornado.web import authenticated

from longshore.dashboard.handlers import PageHandler
from longshore.operations.steer import steer_job


class JobsPage(PageHandler):
    """Requeue jobs, and steering them."""

    tab = "jobs"

    @authenticated
    async def get(self) -> None:
        """The table."""
        jobs = await self.run_in_thread(self.context.access.requeue.jobs)
        self.render("longshore_jobs.html", jobs=jobs, new_job=self.get_query_argument("job", ""))

    @authenticated
    async def post(self) -> None:
        """Pauses or resumes one."""
        job, command = self.get_body_argument("job"), self.get_body_argument("do")
        await self.run_in_thread(steer_job, self.context.access, job, command, self.actor)
        self.redirect(self.reverse_url("longshore-jobs"))
