"""What the documentation says of the API and of Flower's settings is what there is."""

import re
from pathlib import Path

from longshore.dashboard.app import HANDLERS
from longshore.ledger.filter_parsing import FIELDS
from longshore.ledger.requeue import OUTCOME_TEXT

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_every_address_of_the_api_is_documented() -> None:
    """And every field of a filter, and every outcome of a requeue."""
    page = (DOCS / "reference" / "api.md").read_text()
    patterns = [route.regex.pattern.rstrip("$") for route in HANDLERS]
    addresses = [pattern.removeprefix("/api/longshore/") for pattern in patterns if "/api/longshore/" in pattern]

    for address in addresses:
        for word in ("pause", "resume", "limit") if "limit" in address else ("pause", "resume"):
            path = re.sub(r"\(pause[^)]*\)", word, address)
            path = re.sub(r"\([^)]*\)", "<id>", path)
            assert re.search(f"`{re.escape(path)}|{re.escape(path)}`", page), path
    assert not [word for word in (*FIELDS, *OUTCOME_TEXT) if f"`{word}`" not in page]


def test_every_picture_is_one_that_a_test_takes() -> None:
    """`LONGSHORE_SCREENSHOTS=docs/images` takes them all again, and there is none that no page shows."""
    page = (DOCS / "how-to" / "flower.md").read_text()
    tests = (DOCS.parent / "tests" / "acceptance" / "test_dashboard.py").read_text()
    test_images = {
        f"flower-{name}-{theme}.png"
        for name in re.findall(r'shoot\("([\w-]+)"\)', tests)
        for theme in ("light", "dark", "phone")
    }
    page_images = set(re.findall(r"images/([\w-]+\.png)", page))
    assert page_images
    assert page_images <= test_images
    assert page_images == {image.name for image in (DOCS / "images").glob("flower-*.png")}
