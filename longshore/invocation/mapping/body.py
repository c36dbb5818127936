"""From what a mapping's `body` gave to the text that is signed and sent, by its `bodyFormat`."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode
from xml.parsers import expat

from longshore.invocation import json_text
from longshore.invocation.body_format import BodyFormat
from longshore.invocation.mapping.results import MappingFault
from longshore.invocation.section_values import type_name

_ENCODED_FORM = re.compile("(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
"""Printable ASCII without spaces, and percent signs only where they encode something."""


def encode_body(value: Any, body_format: BodyFormat, place: str) -> str | None:
    """The request body as it is signed and sent; None is no body, as is one of no characters.

    Raises MappingFault for a value that the format cannot say.
    """
    return None if value is None else _ENCODERS[body_format](value, place) or None


def _encode_json(value: Any, place: str) -> str:
    try:
        return json_text.dumps(value, ascii=True)
    except json_text.Malformed:
        raise MappingFault(place, "is nested too deeply") from None


def _encode_form(value: Any, place: str) -> str:
    """Pairs in the order of the object's keys; a text must be encoded already, and stays as it is."""
    if isinstance(value, str):
        if _ENCODED_FORM.fullmatch(value):
            return value
        raise MappingFault(
            place, "gives a text that is no form yet: encode names and values with @uri, or give an object"
        )
    if not isinstance(value, dict):
        raise MappingFault(place, f"gives {type_name(value)}, not an object, as its bodyFormat is form")
    try:
        return urlencode(list(_pairs(value, place)))
    except UnicodeEncodeError:
        raise MappingFault(place, "holds a lone surrogate, which no form can say") from None


def _pairs(items: dict[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """A list repeats its key, null is left out, and what is nested deeper is the JSON text of it."""
    for name, item in items.items():
        for value in item if isinstance(item, list) else [item]:
            if value is not None:
                yield name, value if isinstance(value, str) else _encode_json(value, place)


def _encode_text(value: Any, place: str) -> str:
    if isinstance(value, dict | list):
        raise MappingFault(place, f"gives {type_name(value)}, not a text: write tojson, @csv or the like behind it")
    return value if isinstance(value, str) else _encode_json(value, place)


def _encode_xml(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise MappingFault(place, f"gives {type_name(value)}, not a text of XML")
    if (problem := _find_xml_problem(value)) is not None:
        raise MappingFault(place, f"gives no XML that can be sent: {problem}")
    return value


def _find_xml_problem(text: str) -> str | None:
    """What is wrong with `text` as an XML document in UTF-8; None for nothing. Entities are never expanded."""
    parser = expat.ParserCreate("utf-8")
    parser.XmlDeclHandler = _check_declaration
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text.encode(), True)
    except _RefusedXml as refusal:
        return str(refusal)
    except UnicodeEncodeError:
        return "it holds a lone surrogate"
    except expat.ExpatError as error:
        return f"{_describe(error)}, line {error.lineno}, column {error.offset + 1}"
    return None


def _describe(error: expat.ExpatError) -> str:
    if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
        return "it has no element, or ends inside one"
    return expat.ErrorString(error.code)


class _RefusedXml(Exception):
    """A document that is well-formed, and not sent all the same."""


def _check_declaration(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.lower() != "utf-8":
        raise _RefusedXml("it is sent in UTF-8, and its first line says otherwise")


def _refuse_doctype(*_: object) -> None:
    raise _RefusedXml("it has a DOCTYPE, which may define entities: leave it out")


_ENCODERS: dict[BodyFormat, Callable[[Any, str], str]] = {
    BodyFormat.JSON: _encode_json,
    BodyFormat.FORM: _encode_form,
    BodyFormat.TEXT: _encode_text,
    BodyFormat.XML: _encode_xml,
}
