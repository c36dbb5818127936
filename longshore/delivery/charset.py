"""Which codec a body is decoded with. The target names it, so only those are taken that cost little on any bytes.

Python's others must not be had by naming them: `punycode` takes seconds for 100 KB, and looking up a name that does not
exist is remembered for ever.
"""

import codecs
import re
from encodings.aliases import aliases

_CODECS = frozenset(
    {"utf_8", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "ascii", "latin_1"}
    | {f"iso8859_{number}" for number in (*range(2, 12), 13, 14, 15, 16)}
    | {f"cp{number}" for number in (437, 850, 852, 866, 874, 932, 949, *range(1250, 1259))}
    | {"koi8_r", "koi8_u", "mac_roman", "mac_cyrillic", "tis_620"}
    | {"gbk", "gb2312", "gb18030", "big5", "big5hkscs", "shift_jis", "euc_jp", "euc_kr", "iso2022_jp"}
)
"""Those of the WHATWG Encoding Standard that Python has, and a few more: linear in time, whatever the bytes."""

_NAMES = {name: name for name in _CODECS} | {name: codec for name, codec in aliases.items() if codec in _CODECS}

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf_32"),  # begins like the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf_32"),
    (codecs.BOM_UTF8, "utf_8_sig"),
    (codecs.BOM_UTF16_LE, "utf_16"),
    (codecs.BOM_UTF16_BE, "utf_16"),
)

_MAX_CONTENT_TYPE_CHARS = 1_000
"""Characters of a Content-Type that are looked at."""


def detect_bom(body: bytes) -> str | None:
    """The codec that a byte order mark at the start of `body` names; it takes the mark away."""
    return next((codec for mark, codec in _MARKS if body.startswith(mark)), None)


def parse_charset(content_type: str) -> str | None:
    """The codec for the `charset` parameter (RFC 9110, 8.3) of a Content-Type; None for none, or one not taken."""
    for parameter in re.split("[;,]", content_type[:_MAX_CONTENT_TYPE_CHARS])[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return _NAMES.get(re.sub("[-. :]", "_", value.strip(" \t\"'").lower()))
    return None
