"""A program's pages of metrics and health, as Prometheus and Kubernetes read them."""

from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from longshore.runtime.embedded_redis import free_port
from tests.support.programs import eventually


class Monitored:
    """The pages at a port of their own; `environ` has a program serve them there."""

    def __init__(self, liveness_s: float = 30) -> None:
        self.port = free_port()
        self.environ = {
            "METRICS_PORT": str(self.port),
            "METRICS_ADDRESS": "127.0.0.1",
            "LIVENESS_S": str(liveness_s),
        }

    def get(self, path: str) -> requests.Response:
        """One request."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"http://127.0.0.1:{self.port}{path}", timeout=20)

    def says(self, path: str, ok: bool, about: str = "") -> list[str]:
        """Waits until /livez or /readyz say `ok` and, where not, why with these words; returns the whys."""
        whys: list[str] = []

        def has() -> bool:
            try:
                answer = self.get(path)
            except requests.ConnectionError:
                return False
            told: dict[str, Any] = answer.json()
            assert told["ok"] == (answer.status_code == 200)
            whys[:] = told["why"]
            return told["ok"] is ok and any(about in why for why in (whys or [""]))

        try:
            eventually(has, f"{path} says {ok} {about}")
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {whys}") from None
        return whys

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples of this name that have these labels; None where there are none."""
        found = [
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics").text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def reaches(self, value: float, name: str, **labels: str) -> None:
        """Waits until a metric has this value."""
        eventually(lambda: self.value(name, **labels) == value, f"{name}{labels} = {value}")
