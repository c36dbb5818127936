"""docs/reference/chart-values.md, from the comments in the chart's values.yaml.

A comment that begins with `# --` describes the value below it, one with `# @section` begins a table. A value without a
description of its own is a group, whose members are described.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
VALUES = ROOT / "deploy" / "helm" / "longshore" / "values.yaml"
PAGE = ROOT / "docs" / "reference" / "chart-values.md"

INTRODUCTION = """\
# Values of the Helm chart

<!-- Written by `make reference` from deploy/helm/longshore/values.yaml; do not edit. -->

How to use them: [run it on Kubernetes](../how-to/helm.md),
[coming from port-agent](../how-to/coming-from-port-agent.md). A name that the chart does not know is refused, except
under `env.normal` and `env.secret`.
"""

LONGEST_DEFAULT = 60
_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9_]*):")


def page() -> str:
    """The whole page."""
    values = VALUES.read_text(encoding="utf-8")
    defaults = yaml.safe_load(values)
    lines = [INTRODUCTION]
    for kind, path, text in described(values):
        if kind == "section":
            lines.append(f"\n## {text}\n\n| Value | Default | Meaning |\n| --- | --- | --- |\n")
        else:
            lines.append(f"| `{path}` | {default(defaults, path)} | {text} |\n")
    return "".join(lines)


def described(values: str) -> Iterator[tuple[str, str, str]]:
    """Sections (`section`, empty, title) and values (`value`, dotted path, description) in their order."""
    path: list[str] = []
    pending = ""
    for line in values.splitlines():
        words = line.strip()
        if words.startswith("# @section "):
            yield "section", "", words.removeprefix("# @section ")
        elif words.startswith("# -- "):
            pending = words.removeprefix("# -- ")
        elif key := _KEY.match(line):
            depth = len(key[1]) // 2
            path = [*path[:depth], key[2]]
            if pending:
                yield "value", ".".join(path), pending
            pending = ""


def default(defaults: Any, path: str) -> str:
    """The default as one would write it; long ones are left to values.yaml."""
    value = defaults
    for name in path.split("."):
        value = value[name]
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"
