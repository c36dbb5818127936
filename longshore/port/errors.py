"""The error of this room: a call that Port refuses for good. That Port cannot be asked is `PortUnavailable`."""

from longshore.errors import LongshoreError


class PortRefused(LongshoreError):
    """Port answered a call with a final 4xx: asking again gives the same answer.

    `code` is Port's own short error code, or empty. `detail` is what Port says about it; it may quote what we sent, so
    it is for the run's log at Port alone, and in no text or repr of this error.
    """

    def __init__(self, call: str, status: int, code: str = "", detail: str = "") -> None:
        super().__init__(call, status, code)
        self.detail = detail
        self.call = call
        self.status = status
        self.code = code

    def __str__(self) -> str:
        return f"Port refused {self.call}: HTTP {self.status}" + (f" ({self.code})" if self.code else "")
