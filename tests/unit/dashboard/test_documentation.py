"""What the documentation says of the API and of Flower's settings is what there is."""

import re
from pathlib import Path

from longshore.dashboard.acts import BECAME
from longshore.dashboard.app import HANDLERS
from longshore.dashboard.asked import FIELDS

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_every_address_of_the_api_is_documented() -> None:
    """And every field of a filter, and every word for what becomes of an invocation."""
    page = (DOCS / "reference" / "api.md").read_text()
    patterns = [each.regex.pattern.rstrip("$") for each in HANDLERS]
    addresses = [pattern.removeprefix("/api/longshore/") for pattern in patterns if "/api/longshore/" in pattern]

    for address in addresses:
        for word in ("pause", "resume", "limit") if "limit" in address else ("pause", "resume"):
            named = re.sub(r"\(pause[^)]*\)", word, address)
            named = re.sub(r"\([^)]*\)", "<id>", named)
            assert f"{named}`" in page or f"`{named}" in page, named
    assert not [word for word in (*FIELDS, *BECAME) if f"`{word}`" not in page]
