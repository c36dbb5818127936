"""The dashboard, the alerts and the documentation name metrics that exist; every metric and alert is described."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from longshore.telemetry import metrics

ROOT = Path(__file__).resolve().parents[3]
GRAFANA = ROOT / "deploy" / "grafana"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
NAME = re.compile(r"\b(?:longshore|process)_\w+")
LABELS = re.compile(r"(\w+)\{([^}]*)\}")
OF_PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Of the Prometheus client."""


def samples() -> dict[str, set[str]]:
    """The name of every sample on a page, and its labels besides those of Prometheus and of `longshore run`."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
            for suffix in suffixes:
                found[family.name + suffix] = {*metric._labelnames, *(["le"] if suffix == "_bucket" else [])}
    for name, fact in metrics.FLEET.items():
        found[name + ("_total" if fact.type == "counter" else "")] = set(fact.labels)
    return found | {name: set() for name in OF_PROCESS}


def expressions() -> Iterator[str]:
    """Every query of the dashboard and of the alerts."""
    dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    for rule in RULES:
        yield rule["expr"]


def test_queries_name_only_metrics_that_exist() -> None:
    """A name that nobody serves is a panel that is empty, and an alert that is silent."""
    named = {name for expression in expressions() for name in NAME.findall(expression)}

    assert named
    assert not named - samples().keys()


def test_queries_select_by_labels_that_exist() -> None:
    """A label that a metric does not have selects nothing."""
    known = samples()
    for expression in expressions():
        for name, selectors in LABELS.findall(expression):
            asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors)) - {"job", "instance", "program"}
            assert asked <= known[name], (name, asked)


def test_the_dashboard_shows_every_metric_there_is() -> None:
    """What nobody would look at need not be measured."""
    shown = {name for expression in expressions() for name in NAME.findall(expression)}
    shown |= {name.removesuffix("_bucket") + suffix for name in shown for suffix in ("_count", "_sum")}

    assert not samples().keys() - shown


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_page_of_its_own(rule: dict[str, Any]) -> None:
    """What it means, what to look at first, and what helps."""
    url = rule["annotations"]["runbook_url"]
    page = (ROOT / url).read_text()

    assert f"docs/runbook/{rule['alert']}.md" == url
    assert page.startswith(f"# {rule['alert']}: ")
    assert "\n## Look at first\n" in page
    assert "\n## What helps\n" in page
    assert {"summary", "description"} <= rule["annotations"].keys()
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_every_page_of_the_runbook_belongs_to_an_alert_and_is_listed() -> None:
    """With how grave it is. A page that no alert leads to would go stale unseen."""
    pages = {path.stem for path in (ROOT / "docs" / "runbook").glob("*.md")} - {"index"}
    index = (ROOT / "docs" / "runbook" / "index.md").read_text()
    listed = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| .+ \| \**(\w+)\** \|$", index, re.MULTILINE))

    assert pages == listed.keys()
    assert {rule["alert"]: rule["labels"]["severity"] for rule in RULES} == listed


def test_the_runbook_names_metrics_and_pages_that_exist() -> None:
    """At three in the morning nobody wants to search for the right name."""
    for path in (ROOT / "docs" / "runbook").glob("*.md"):
        text = path.read_text()
        assert not set(re.findall(r"\blongshore_\w+", text)) - samples().keys(), path.name
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert (path.parent / link).is_file(), f"{path.name}: {link}"


def test_the_reference_describes_every_metric() -> None:
    """That the page is what the code says, tests/unit/config/test_reference.py sees to."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()

    of_ours = {
        name for name in samples() if name not in OF_PROCESS and not name.endswith(("_bucket", "_count", "_sum"))
    }
    assert all(f"| `{name}` |" in page for name in of_ours)
