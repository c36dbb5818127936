"""What passed through the proxy, written down as lines, and counted for people."""

import zlib
from collections import Counter
from collections.abc import Callable

from longshore.delivery.body import decode_body
from longshore.delivery.outcome import Response
from longshore.operations.shadow.line_file import LineFile
from longshore.operations.shadow.lines import WebhookRequest
from longshore.operations.shadow.passage import Passage
from longshore.operations.shadow.proxy import ProxiedRequest
from longshore.operations.shadow.recording import Exchange, Recording

MAX_TUNNELS = 100
"""Hosts of tunnels that are named in the summary."""


class Recorder:
    """Writes a line for each exchange as soon as it is over. For one thread."""

    def __init__(
        self, recording: Recording, file: LineFile, response_cap: int, on_failure: Callable[[OSError], None]
    ) -> None:
        """`response_cap` is how many bytes of a response Longshore reads; `on_failure` hears that a write failed."""
        self._recording = recording
        self._file = file
        self._cap = response_cap
        self._on_failure = on_failure
        self.counts: Counter[str] = Counter()
        """How many lines of each kind, and how many exchanges without an answer by their reason."""
        self.tunnels: Counter[str] = Counter()
        """Tunnels that were passed on unseen, by host and port."""

    def note_passage(self, request: ProxiedRequest, passage: Passage) -> None:
        """An exchange is over."""
        sent = WebhookRequest(request.method, request.url, dict(request.headers.items()), request.body or None)
        answer = passage.failure or self._read_response(passage)
        location = passage.headers.get("Location", "")
        line = self._recording.make_line(Exchange(request.client, sent, answer, location))
        try:
            self._file.write([line])
        except OSError as error:
            self._on_failure(error)
            return
        self.counts[line["kind"]] += 1
        if passage.failure:
            self.counts[f"{passage.failure} ({passage.problem})"] += 1

    def note_tunnel(self, place: str) -> None:
        """A tunnel is passed on unseen."""
        if place in self.tunnels or len(self.tunnels) < MAX_TUNNELS:
            self.tunnels[place] += 1

    def _read_response(self, passage: Passage) -> Response:
        """The response as Longshore would read it."""
        headers = passage.headers
        body, is_truncated = bytes(passage.body), passage.is_truncated or not passage.is_complete
        if headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
            try:
                body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, self._cap + 1)
            except zlib.error:
                body, is_truncated = b"", True
        is_truncated = is_truncated or len(body) > self._cap
        text = decode_body(body[: self._cap], headers.get("Content-Type", ""))
        return Response(passage.status, dict(headers.items()), text, is_truncated)
