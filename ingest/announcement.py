"""Tells Port at the start how this organization's agent takes its runs (wire contract, startup)."""

from longshore.errors import LongshoreError
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.port import PortClient

log = EventLog(__name__)


def announce_streamer(port: PortClient, streamer: str) -> bool:
    """`streamer` is KAFKA or POLLING. Whatever Port says, the start goes on: True."""
    try:
        port.set_streamer(streamer)
    except LongshoreError as error:
        log.event(events.PORT_STREAMER_CALL_FAILED, problem=str(error))
    return True
