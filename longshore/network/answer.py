"""Reading the head of an HTTP answer: past interim answers, within bounds, and never losing a status that was readable.

The standard library takes `103 Early Hints` for the answer, gives up at the 101st header or at a line over 64 KiB, and
drops without a word what came behind a body. Here a final status line stands whatever follows it: where the head cannot
be read to its end, or says two things about the body's length, the answer has no body and its connection is closed.
"""

import re
from http.client import (
    BadStatusLine,
    HTTPMessage,
    HTTPResponse,
    IncompleteRead,
    LineTooLong,
    RemoteDisconnected,
)
from typing import Any

from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse as UnpackingResponse

MAX_HEAD_BYTES = 262_144
"""Most bytes of a head, interim answers included; far beyond what anything sends on purpose."""
_MIN_LINE_BYTES = 32
"""What a line takes of it at least: the number of headers costs more time than their length."""

_STATUS_LINE = re.compile(rb"(HTTP/\d(?:\.\d)?)[ \t]+(\d{3})(?:[ \t\r](.*)|\n)", re.DOTALL)
"""Complete with the character behind the status: a target that closes may break off anywhere in the phrase."""
_TLS_ALERT = b"\x15\x03"  # record type and major version (RFC 8446, 5.1)
_BLANK_LINES = (b"\r\n", b"\n", b"")
_LENGTH_FIELD = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*(?:\r\n|$)")
_LAST_CHUNK = b"0\r\n\r\n"
_LENGTH = re.compile(r"[0-9]{1,18}")
_BODILESS = frozenset({204, 205, 304})


class TlsAlert(BadStatusLine):
    """In place of an answer came an alert: what listens there speaks TLS, and never saw a request."""


class BoundedResponse(HTTPResponse):
    """`http.client`'s response, for the `response_class` of a connection.

    `is_truncated`: the head was not read to its end; `is_status_line_truncated`: not even its status line.
    `has_surplus`: more came than the response. It belongs to no request, so the connection must not carry another.
    """

    is_truncated = False
    is_status_line_truncated = False
    has_surplus = False
    fields: dict[str, tuple[str, str]]
    """Name and value of each header by its name in lower case, those of one name joined by `, `."""
    _method: str | None
    _remaining_bytes = MAX_HEAD_BYTES

    def begin(self) -> None:
        """Read the head. Raises HTTPException for what is no answer, and OSError when none came."""
        if self.headers is not None:  # begun already
            return
        version, self.status, self.reason = self._read_status()
        self.code = self.status
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.headers = self.msg = self._read_fields()
        self.will_close = self._check_close()
        self._set_framing()

    def is_whole(self) -> bool:
        """Whether the whole answer is here, as far as can be told before it is read: a small one nearly always is."""
        head, blank_line, body = self.fp.peek(1).partition(b"\r\n\r\n")
        length = _LENGTH_FIELD.search(head)
        return bool(blank_line) and (len(body) >= int(length[1]) if length else body.endswith(_LAST_CHUNK))

    def _read_status(self) -> tuple[str, int, str]:
        """The first status line that is final (RFC 9110, 15.2); 101 answers an upgrade, for which nobody asks."""
        while True:
            # Seen before a line is waited for, as an alert has no end of line and may leave the connection open.
            if self.fp.peek(len(_TLS_ALERT)).startswith(_TLS_ALERT):
                raise TlsAlert("an alert of TLS")
            line = self._read_line()
            if not line:
                raise RemoteDisconnected("closed without an answer")
            match = _STATUS_LINE.fullmatch(line)
            if match is None or (status := int(match[2])) < 100 or status == 101:
                raise BadStatusLine("no final answer in HTTP")
            if status >= 200:
                self.is_status_line_truncated = not line.endswith(b"\n")
                return match[1].decode(), status, (match[3] or b"").decode("latin-1").strip()
            while self._read_line() not in _BLANK_LINES:
                pass

    def _read_fields(self) -> HTTPMessage:
        """The header fields, as far as they can be read; a line that breaks off, or that is no field, is left out."""
        fields: list[tuple[str, list[str]]] = []
        try:
            while (line := self._read_line()) not in _BLANK_LINES and line.endswith(b"\n"):
                text = line.decode("latin-1").rstrip("\r\n")
                name, colon, value = text.partition(":")
                if text.startswith((" ", "\t")) and fields:
                    fields[-1][1].append(text.strip())  # an obsolete line folding (RFC 9112, 5.2)
                elif colon and name.strip():
                    fields.append((name.strip(), [value.strip()]))
            self.is_truncated = not line.endswith(b"\n")
        except (OSError, LineTooLong):
            self.is_truncated = True
        message = HTTPMessage()
        self.fields = {}
        for name, values in fields:
            value = " ".join(values)
            message.set_raw(name, value)
            key = name.lower()
            first, before = self.fields.get(key, (name, None))
            self.fields[key] = first, value if before is None else f"{before}, {value}"
        return message

    def _check_close(self) -> bool:
        """Does the answer end the connection (RFC 9112, 9.3)? In HTTP/1.0 it does unless it says otherwise."""
        connection = self.find("connection").lower()
        if self.version == 11:
            return "close" in connection
        is_kept = self.find("keep-alive") or "keep-alive" in connection + self.find("proxy-connection").lower()
        return not is_kept

    def _set_framing(self) -> None:
        """How the body ends (RFC 9112, 6.3). What leaves a doubt about that leaves the connection to nobody else."""
        transfer_coding = self.find("transfer-encoding").lower()
        lengths = set(filter(None, map(str.strip, self.find("content-length").split(","))))
        has_body = bool(transfer_coding or lengths - {"0"})
        self.chunked, self.chunk_left, self.length = False, None, None
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            del self.headers["content-length"], self.fields["content-length"]  # urllib3 would refuse the answer
            self.is_truncated = True
        if self.status in _BODILESS or self._method == "HEAD":
            self.length = 0
            self.will_close = self.will_close or has_body
        elif self.is_truncated:
            self.length = 0
        elif transfer_coding:
            self.chunked = transfer_coding.rpartition(",")[2].strip() == "chunked"
            self.will_close = self.will_close or transfer_coding != "chunked" or bool(lengths)
        elif lengths:
            self.length = int(lengths.pop())
        self.will_close = self.will_close or self.is_truncated or (self.length is None and not self.chunked)

    def _read_and_discard_trailer(self) -> None:
        """Trailer fields (RFC 9112, 7.1.2) count against the limit of the head: a target may send them without end."""
        while self._read_line() not in _BLANK_LINES:
            pass

    def find(self, name: str) -> str:
        """The value of the header `name` (in lower case), empty without one."""
        field = self.fields.get(name)
        return "" if field is None else field[1]

    def read1(self, n: int = -1) -> bytes:
        """As in `http.client`; raises IncompleteRead where the connection ends before the body does."""
        if self.fp is None or self.chunked:
            return super().read1(n)
        if self.length is None:
            if not (data := self.fp.read1(n)) and n:
                self._close_conn()
            return data
        data = self.fp.read1(self.length if n < 0 else min(n, self.length)) if self.length else b""
        if not data and n and self.length:
            raise IncompleteRead(data, self.length)
        self.length -= len(data)
        if not self.length:
            self._close_conn()
        return data

    def _read_line(self) -> bytes:
        """The next line of the head. Raises LineTooLong when there is no room for it."""
        line = self.fp.readline(self._remaining_bytes + 1)
        self._remaining_bytes -= max(len(line), _MIN_LINE_BYTES)
        if self._remaining_bytes < 0:
            raise LineTooLong("head of the answer")
        return line

    def _close_conn(self) -> None:
        fp: Any = self.fp
        if not self.will_close:
            fp.raw.readinto = lambda _: None  # so that looking at what has come waits for nothing more
            self.has_surplus = bool(fp.peek(1))
        super()._close_conn()  # type: ignore[misc]


def wrap(response: BoundedResponse) -> UnpackingResponse:
    """`response` as `urllib3` has it: unpacks the body by its Content-Encoding, and is what `requests` follows."""
    return UnpackingResponse(
        body=response,
        headers=HTTPHeaderDict(response.headers.items()),
        status=response.status,
        version=response.version,
        reason=response.reason,
        preload_content=False,
        original_response=response,
        request_method=response._method,
    )
