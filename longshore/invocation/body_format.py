"""How the bodies of a mapping are written: as JSON, as a form, or as a text that the mapping gives."""

import html
from enum import StrEnum
from urllib.parse import unquote_plus


class BodyFormat(StrEnum):
    """`bodyFormat` of a mapping."""

    JSON = "json"
    FORM = "form"
    TEXT = "text"
    XML = "xml"

    @property
    def content_type(self) -> str:
        """The Content-Type that goes out unless the mapping sets one."""
        return _CONTENT_TYPES[self]

    def unescape(self, body: str) -> str:
        """`body` as it reads without the escapes of its format; JSON keeps its own."""
        if self is BodyFormat.FORM:
            return unquote_plus(body)
        return html.unescape(body) if self is BodyFormat.XML else body


_CONTENT_TYPES = {
    BodyFormat.JSON: "application/json",
    BodyFormat.FORM: "application/x-www-form-urlencoded",
    BodyFormat.TEXT: "text/plain; charset=utf-8",
    BodyFormat.XML: "application/xml; charset=utf-8",
}
