"""What stands under sensitive names in the body of a request, by its format."""

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from longshore.invocation.body_format import BodyFormat
from longshore.invocation.sensitive_names import (
    credential_forms,
    is_sensitive,
    sensitive_parameters,
    sensitive_text_values,
)

_XML_ELEMENT = re.compile(r"<(?:[\w.-]++:)?([\w.-]++)(?:\s[^<>]*+)?>(?:<!\[CDATA\[)?([^<]++)")
_XML_ATTRIBUTE = re.compile(r"""(?<![\w.-])([\w.-]++)\s*+=\s*+(["'])([^<"']*+)\2""")
"""Names, and what stands under them; in time that grows with the text alone."""


def sensitive_body_values(body: str | None, body_format: BodyFormat) -> Iterator[str]:
    """The values under sensitive names in a body of this format; a text has no names."""
    if not body or body_format is BodyFormat.TEXT:
        return
    if body_format is BodyFormat.JSON:
        yield from sensitive_text_values(body)
    elif body_format is BodyFormat.FORM:
        pairs = parse_qsl(body)
        yield from sensitive_parameters(pairs)
        for _, value in pairs:
            yield from sensitive_text_values(value)
    else:
        elements = (match.groups() for match in _XML_ELEMENT.finditer(body))
        attributes = (match.group(1, 3) for match in _XML_ATTRIBUTE.finditer(body))
        for name, value in (*elements, *attributes):
            if is_sensitive(name):
                yield from credential_forms(html.unescape(value.removesuffix("]]>")).strip())
