"""What the documentation says of the API and of Flower's settings is what there is."""

import re
from pathlib import Path

from longshore.dashboard.app import HANDLERS
from longshore.ledger.filter_parsing import FIELDS
from longshore.ledger.requeue import OUTCOME_TEXT

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
            assert re.search(f"`{re.escape(named)}|{re.escape(named)}`", page), named
    assert not [word for word in (*FIELDS, *OUTCOME_TEXT) if f"`{word}`" not in page]


def test_every_picture_is_one_that_a_test_takes() -> None:
    """`LONGSHORE_SCREENSHOTS=docs/images` makes them all anew, and none is left over."""
    page = (DOCS / "how-to" / "flower.md").read_text()
    tests = (DOCS.parent / "tests" / "acceptance" / "test_dashboard.py").read_text()
    taken = {
        f"flower-{name}-{look}.png"
        for name in re.findall(r'shoot\("([\w-]+)"\)', tests)
        for look in ("light", "dark", "phone")
    }
    shown = set(re.findall(r"images/([\w-]+\.png)", page))
    assert shown
    assert shown <= taken
    assert shown == {path.name for path in (DOCS / "images").glob("flower-*.png")}
