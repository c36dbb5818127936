"""The intake as the settings describe it."""

from config.settings import Settings
from ingest.entries import EntryMaker
from ingest.intake import Intake
from ingest.target_limits import TargetLimits
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.invocation.source import Source
from longshore.store.seal import Sealer


def make_intake(settings: Settings, mapping: Mapping, limits: TargetLimits | None = None) -> Intake:
    """What makes entries of messages, with `mapping`; `limits` is told which targets they go to."""
    maker = EntryMaker(
        mapping,
        Sealer(settings.port_client_secret, settings.port_client_secret_previous),
        {kind: settings.retry_policy(kind) for kind in Kind},
        fail_unmatched_nodes=settings.unmatched_node_runs == "fail",
        heard=limits.heard if limits else None,
    )
    # Where both have one name, the runs win: an unsigned event must not pass for a run.
    sources = {settings.change_log_topic: Source.CHANGE_LOG, settings.runs_topic: Source.RUNS}
    tell = limits.tell if limits else None
    return Intake(sources, settings.secrets, mapping, maker, settings.message_max_bytes, tell)
