"""The examples of docs/how-to/mapping.md and success.md, and the keys of docs/reference/mapping.md, are true."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from longshore.cli import mapping as command
from longshore.invocation import delivery_section
from longshore.invocation.mapping import Mapping
from longshore.invocation.mapping.schema import KEYS, REPORT_KEYS
from longshore.invocation.success_section import SuccessOptions
from longshore.operations.dry_run import DryRunResult, derive_stream, dry_run

DOCS = Path(__file__).parents[3] / "docs"
SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"


def examples() -> list[tuple[str, dict[str, str]]]:
    """Title and named blocks of each section that has any."""
    sections = [
        section
        for page in ("mapping.md", "success.md")
        for section in (DOCS / "how-to" / page).read_text().split("\n## ")[1:]
    ]
    blocks = re.compile(r"```json title=\"(\w+)\.json\"\n(.*?)```", re.DOTALL)
    blocks_by_title = [(text.split("\n")[0], dict(blocks.findall(text))) for text in sections]
    return [(title, blocks) for title, blocks in blocks_by_title if blocks]


@pytest.mark.parametrize(("title", "blocks"), examples(), ids=[title for title, _ in examples()])
def test_an_example_becomes_what_the_page_says(title: str, blocks: dict[str, str]) -> None:
    """Request by request, and what Port is told."""
    settings = load({"PORT_CLIENT_SECRET": SECRET}, role=None)
    message, expected = blocks["message"].encode(), json.loads(blocks.get("request", "{}"))
    answer = command._parse_response(blocks["response"].encode()) if "response" in blocks else None
    with closing(Mapping(blocks["mapping"].encode(), {})) as mapping:
        assert () == mapping.warnings, title
        result = dry_run(message, derive_stream(json.loads(message)), mapping, settings, answer)
    if expected is None:
        assert result.request is None
        return
    request: dict[str, Any] = result.request or {}
    if "request" in blocks:
        body, expected_body = request["body"], expected.pop("body")
        assert expected_body == (json.loads(body) if body is not None and not isinstance(expected_body, str) else body)
    assert expected.pop("headers", {}).items() <= request["headers"].items()
    assert expected.items() <= request.items()
    if "patch" in blocks:
        assert json.loads(blocks["patch"]) == result.calls[-1]["json"]


def test_the_reference_has_every_key() -> None:
    """Of a mapping, its delivery, its rules of success, and its report."""
    text = (DOCS / "reference" / "mapping.md").read_text()
    keys = (*KEYS, *REPORT_KEYS, *delivery_section.KEYS, *SuccessOptions.__dataclass_fields__)
    assert not [key for key in keys if f"`{key}`" not in text]


def test_the_reference_has_every_part_of_the_json_that_the_command_prints() -> None:
    """Scripts rely on it."""
    text = (DOCS / "reference" / "mapping.md").read_text()
    assert not [name for name in (*DryRunResult.__dataclass_fields__, "warnings") if f"`{name}`" not in text]
