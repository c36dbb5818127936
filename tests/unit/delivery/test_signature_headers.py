"""The outgoing signature is the one that receivers already check."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.delivery import build_signature_headers

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "signatures.json").read_text())


@pytest.mark.parametrize("case", VECTORS["outgoing"], ids=lambda case: case["name"])
def test_every_outgoing_vector_is_met(case: dict[str, Any]) -> None:
    """Signed is what is sent, and nothing sent is signed as `null`."""
    body = case["replacement_wire_body"] or None

    headers = build_signature_headers(VECTORS["secret"], body, float(case["timestamp"]) + 0.9)

    assert {"X-Port-Timestamp": case["timestamp"], "X-Port-Signature": case["signature"]} == headers
    assert headers == build_signature_headers(VECTORS["secret"], body and body.encode(), float(case["timestamp"]))
