"""What several addresses of the JSON API answer with."""

from dataclasses import asdict
from typing import Any

from longshore.dashboard import formatting
from longshore.ledger.requeue import RequeueJob
from longshore.operations.find import Counts


def counts_as_json(counts: Counts) -> dict[str, Any]:
    """Counts by state and reason, and their total."""
    rows = [{"state": state, "reason": reason, "count": count} for (state, reason), count in counts.most_common()]
    return {"total": counts.total(), "counts": rows}


def job_as_json(job: RequeueJob) -> dict[str, Any]:
    """A requeue job."""
    return {**asdict(job), "created": formatting.format_iso(job.created_ms)}
