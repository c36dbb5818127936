"""The kinds of invocation Port publishes."""

from enum import StrEnum


class Kind(StrEnum):
    """What an invocation is, which decides what Port hears of it and how it is retried."""

    ACTION_RUN = "action_run"
    """A self-service action run: Port keeps a run log, a response and a status."""

    NODE_RUN = "node_run"
    """A workflow node run (`wfnr_…`): Port keeps node logs and a result."""

    CHANGE_LOG = "change_log"
    """A change log event: delivered only, Port hears nothing of it."""
