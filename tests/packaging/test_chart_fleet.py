"""`mode: fleet` of the chart: a Deployment for each program, scaling, Flower behind a login, and watching it all."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart import CHART, NotRendered, Rendered, render, run_helm

pytestmark = pytest.mark.timeout(3600)

PARTS = ("ingest", "worker", "flower")


def fleet(**values: Any) -> Rendered:
    """A fleet with credentials, and these values."""
    return render({"mode": "fleet", "env": {"secret": {"PORT_CLIENT_SECRET": "s"}}, **values})


def test_each_program_has_a_deployment_that_finds_only_its_own_pods() -> None:
    rendered = fleet()
    deployments = rendered.all("Deployment")

    assert {f"my-longshore-{part}" for part in PARTS} == set(deployments)
    for part in PARTS:
        assert [part] == rendered.pod(f"my-longshore-{part}").container["args"]
        selector = deployments[f"my-longshore-{part}"]["spec"]["selector"]["matchLabels"]
        found = [
            name
            for name, other in {**deployments, **rendered.all("StatefulSet")}.items()
            if selector.items() <= other["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert [f"my-longshore-{part}"] == found


def test_each_program_gets_the_same_variables_and_mounts() -> None:
    """And Flower its own besides."""
    rendered = render(
        {
            "mode": "fleet",
            "env": {"normal": {"MINE": "x"}, "secret": {"TOKEN": "t"}},
            "controlThePayloadConfig": "[]",
            "selfSignedCertificate": {"enabled": True, "certificate": "c"},
            "extraVolumes": [{"name": "v", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
        }
    )
    ingest, worker, flower = (rendered.pod(f"my-longshore-{part}") for part in PARTS)

    assert ingest.env == worker.env
    assert {"MINE": "x", "TOKEN": "t"}.items() <= worker.env.items()
    assert {"FLOWER_ADDRESS", "FLOWER_PORT", "FLOWER_BASIC_AUTH"} == set(flower.env) - set(worker.env)
    assert not flower.env["FLOWER_ADDRESS"], "IPv6 too"
    assert ingest.mounts == worker.mounts == flower.mounts
    assert {"/v", "/etc/longshore", "/tmp/port-agent"} <= worker.mounts


def test_each_program_may_have_its_own_size() -> None:
    small = {"limits": {"memory": "200Mi"}}
    rendered = fleet(ingest={"replicas": 3, "resources": small}, worker={"replicas": 5})

    assert 3 == rendered.one("Deployment", "my-longshore-ingest")["spec"]["replicas"]
    assert 5 == rendered.one("Deployment", "my-longshore-worker")["spec"]["replicas"]
    assert small == rendered.pod("my-longshore-ingest").container["resources"]
    assert "LONGSHORE_PROFILE" in rendered.pod("my-longshore-ingest").env
    assert "LONGSHORE_PROFILE" not in rendered.pod("my-longshore-worker").env


def test_flower_always_asks_for_a_login() -> None:
    made = fleet()
    name, _, password = made.pod("my-longshore-flower").env["FLOWER_BASIC_AUTH"].partition(":")
    assert ("longshore", 40) == (name, len(password))

    chosen = fleet(flower={"auth": {"basic": "ann:pw,bob:pw2"}})
    assert "ann:pw,bob:pw2" == chosen.pod("my-longshore-flower").env["FLOWER_BASIC_AUTH"]
    assert ("my-longshore-flower", "FLOWER_BASIC_AUTH") == chosen.pod("my-longshore-flower").source("FLOWER_BASIC_AUTH")

    existing = fleet(flower={"auth": {"existingSecret": "sso"}})
    assert {"secretRef": {"name": "sso"}} in existing.pod("my-longshore-flower").container["envFrom"]
    assert "envFrom" not in existing.pod("my-longshore-worker").container
    assert "my-longshore-flower" not in existing.all("Secret")
    for rendered in (made, chosen, existing):
        assert "FLOWER_INSECURE" not in rendered.pod("my-longshore-flower").env


def test_flower_has_a_service_and_if_wanted_an_ingress() -> None:
    ingress = {"enabled": True, "host": "flower.acme.io", "className": "nginx", "tlsSecret": "tls"}
    rendered = fleet(flower={"ingress": ingress})
    service = rendered.one("Service", "my-longshore-flower")
    labels = rendered.pod("my-longshore-flower").metadata["labels"]

    assert service["spec"]["selector"].items() <= labels.items()
    spec = rendered.one("Ingress")["spec"]
    backend = spec["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert ("flower.acme.io", "my-longshore-flower") == (spec["rules"][0]["host"], backend["name"])
    assert [{"hosts": ["flower.acme.io"], "secretName": "tls"}] == spec["tls"]
    assert {} == fleet().all("Ingress")
    assert {"ingest", "worker"} == {
        name.removeprefix("my-longshore-") for name in fleet(flower={"enabled": False}).all("Deployment")
    }


def test_flower_beside_one_pod_whose_redis_is_deployed() -> None:
    rendered = render({"flower": {"enabled": True}, "redis": {"mode": "deployed"}})

    selector = rendered.one("Deployment", "my-longshore")["spec"]["selector"]["matchLabels"]
    flower = rendered.pod("my-longshore-flower").metadata["labels"]
    assert not selector.items() <= flower.items(), "the agent's Deployment would take Flower for one of its pods"


def test_workers_scale_on_cpu() -> None:
    scale = {"enabled": True, "minReplicas": 3, "maxReplicas": 30, "behavior": {"scaleDown": {"selectPolicy": "Min"}}}
    rendered = fleet(worker={"autoscaling": scale})
    spec = rendered.one("HorizontalPodAutoscaler")["spec"]

    assert {"apiVersion": "apps/v1", "kind": "Deployment", "name": "my-longshore-worker"} == spec["scaleTargetRef"]
    assert (3, 30) == (spec["minReplicas"], spec["maxReplicas"])
    assert scale["behavior"] == spec["behavior"]
    assert "replicas" not in rendered.one("Deployment", "my-longshore-worker")["spec"], (
        "each upgrade would undo scaling"
    )


def test_workers_scale_on_what_waits() -> None:
    keda = {"enabled": True, "prometheusAddress": "http://prometheus:9090", "threshold": 100}
    rendered = fleet(worker={"keda": keda})
    spec = rendered.one("ScaledObject")["spec"]
    (trigger,) = spec["triggers"]

    assert {"name": "my-longshore-worker"} == spec["scaleTargetRef"]
    assert ("prometheus", "100") == (trigger["type"], trigger["metadata"]["threshold"])
    assert "longshore_" in trigger["metadata"]["query"]
    assert "replicas" not in rendered.one("Deployment", "my-longshore-worker")["spec"]
    own = [{"type": "cron", "metadata": {"desiredReplicas": "4"}}]
    assert own == fleet(worker={"keda": {"enabled": True, "triggers": own}}).one("ScaledObject")["spec"]["triggers"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"worker": {"keda": {"enabled": True}}}, "prometheusAddress"),
        ({"worker": {"keda": {"enabled": True, "triggers": [{}]}, "autoscaling": {"enabled": True}}}, "one of them"),
        ({"mode": "single", "worker": {"autoscaling": {"enabled": True}}}, "mode: fleet"),
        ({"flower": {"ingress": {"enabled": True}}}, "set host"),
        ({"metrics": {"port": 0, "serviceMonitor": {"enabled": True}}}, "metrics.port"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_remedy(values: dict[str, Any], words: str) -> None:
    with pytest.raises(NotRendered, match=words):
        fleet(**values)


def test_probes_ask_where_the_program_answers() -> None:
    rendered = fleet()
    for part in ("ingest", "worker"):
        container = rendered.pod(f"my-longshore-{part}").container
        assert {"path": "/livez", "port": "metrics"} == container["livenessProbe"]["httpGet"]
        assert {"path": "/livez", "port": "metrics"} == container["startupProbe"]["httpGet"]
        assert {"path": "/readyz", "port": "metrics"} == container["readinessProbe"]["httpGet"]
        assert {"name": "metrics", "containerPort": 9464} in container["ports"]
    flower = rendered.pod("my-longshore-flower").container
    assert {"path": "/healthcheck", "port": "flower"} == flower["readinessProbe"]["httpGet"]
    startup = container["startupProbe"]
    assert 300 == startup["periodSeconds"] * startup["failureThreshold"]
    assert "livenessProbe" not in fleet(metrics={"port": 0}).pod("my-longshore-worker").container
    assert "livenessProbe" not in fleet(probes={"enabled": False}).pod("my-longshore-worker").container


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 40),
        ({"WEBHOOK_INVOKER_TIMEOUT": "120"}, 130),
        ({"WEBHOOK_INVOKER_TIMEOUT": 0.5}, 11),
        ({"DRAIN_S": 600}, 607),
        ({"DRAIN_S": "1"}, 40),
    ],
)
def test_a_pod_has_time_to_finish_what_it_began(settings: dict[str, Any], seconds: int) -> None:
    """WEBHOOK_INVOKER_TIMEOUT + 5 s, or DRAIN_S + 2 s, 3 s for a busy node, and what preStop takes."""
    pod = render({"env": {"normal": settings}}).pod()

    assert seconds == pod.spec["terminationGracePeriodSeconds"]
    assert ["sleep", "2"] == pod.container["lifecycle"]["preStop"]["exec"]["command"]


def test_the_time_to_finish_may_be_set() -> None:
    pod = render({"terminationGracePeriodSeconds": 99, "preStopSleepSeconds": 0}).pod()

    assert 99 == pod.spec["terminationGracePeriodSeconds"]
    assert "lifecycle" not in pod.container


def test_only_what_is_more_than_one_has_a_disruption_budget() -> None:
    """One of a single pod would keep nodes from being drained."""
    assert {} == render().all("PodDisruptionBudget")
    assert {"my-longshore-ingest", "my-longshore-worker"} == set(fleet().all("PodDisruptionBudget"))
    assert {"my-longshore"} == set(render({"replicaCount": 2}).all("PodDisruptionBudget"))
    assert {} == fleet(podDisruptionBudget={"enabled": False}).all("PodDisruptionBudget")
    rendered = fleet(podDisruptionBudget={"maxUnavailable": 2})
    budget = rendered.one("PodDisruptionBudget", "my-longshore-worker")
    assert 2 == budget["spec"]["maxUnavailable"]
    labels = rendered.pod("my-longshore-worker").metadata["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_network_policies_let_only_the_agent_to_redis() -> None:
    rendered = fleet(networkPolicy={"enabled": True, "flowerFrom": [{"namespaceSelector": {}}]})
    policies = rendered.all("NetworkPolicy")

    assert {f"my-longshore-{part}" for part in (*PARTS, "redis")} == set(policies)
    (rule,) = policies["my-longshore-redis"]["spec"]["ingress"]
    allowed = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
    for part in PARTS:
        labels = rendered.pod(f"my-longshore-{part}").metadata["labels"]
        assert any(selector.items() <= labels.items() for selector in allowed)
    assert [{"namespaceSelector": {}}] == policies["my-longshore-flower"]["spec"]["ingress"][1]["from"]
    assert ["Ingress"] == policies["my-longshore-worker"]["spec"]["policyTypes"], "it may call any target"
    assert {} == fleet().all("NetworkPolicy")


def test_where_targets_are_known_the_agent_may_go_nowhere_else() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    spec = fleet(networkPolicy={"enabled": True, "egress": [rule]}).one("NetworkPolicy", "my-longshore-worker")["spec"]

    assert ["Ingress", "Egress"] == spec["policyTypes"]
    assert rule in spec["egress"]
    assert 6379 == spec["egress"][0]["ports"][0]["port"]


def test_prometheus_finds_every_pod() -> None:
    rendered = fleet(metrics={"serviceMonitor": {"enabled": True, "labels": {"release": "prom"}}})
    service, monitor = rendered.one("Service", "my-longshore-metrics"), rendered.one("ServiceMonitor")

    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert "prom" == monitor["metadata"]["labels"]["release"]
    for part in PARTS:
        labels = rendered.pod(f"my-longshore-{part}").metadata["labels"]
        assert service["spec"]["selector"].items() <= labels.items()


def test_alerts_and_dashboards_are_those_of_the_repository() -> None:
    """Copies, made with cp: tools that pack charts drop links that lead out of them."""
    rendered = fleet(metrics={"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}})

    folder, copies = CHART.parents[1] / "grafana", CHART / "files" / "grafana"
    assert not [path for path in CHART.rglob("*") if path.is_symlink()]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in copies.iterdir()
    }
    dashboards = {path.name: path.read_text() for path in folder.glob("*.json")}
    assert dashboards
    assert dashboards == rendered.one("ConfigMap", "my-longshore-dashboard")["data"]
    assert [group for group in rendered.one("PrometheusRule")["spec"]["groups"] if group["rules"]]


@pytest.mark.parametrize("wanted", ["prometheusRule", "dashboard"])
def test_a_chart_without_them_says_so(tmp_path: Path, wanted: str) -> None:
    """Rather than install no alert without a word."""
    chart = tmp_path / "longshore"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("grafana"))
    values = ["--set", f"metrics.{wanted}.enabled=true"]
    done = run_helm("template", "my", str(chart), *values)

    assert 0 != done.returncode
    assert "files/grafana" in done.stderr
    assert 0 == run_helm("template", "my", str(chart)).returncode


def test_annotations_tell_no_password() -> None:
    """More people may read them than Secrets; a hash that is quick to make is guessed."""
    values = {"redis": {"mode": "deployed", "auth": {"password": "hunter2"}}}
    pods = [render(values, release=release, defaults={}).one("StatefulSet") for release in ("my", "other")]
    told = [pod["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for pod in pods]
    plain = json.dumps(["hunter2", ""], separators=(",", ":"))

    assert hashlib.sha256(plain.encode()).hexdigest() not in told
    assert told[0] != told[1], "salted"


def test_spreading_counts_the_pods_of_one_program() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    rendered = fleet(topologySpreadConstraints=[spread])
    (constraint,) = rendered.pod("my-longshore-worker").spec["topologySpreadConstraints"]

    selector = rendered.one("Deployment", "my-longshore-worker")["spec"]["selector"]
    assert {**spread, "labelSelector": selector} == constraint
    own = {**spread, "labelSelector": {"matchLabels": {"a": "b"}}}
    assert [own] == fleet(topologySpreadConstraints=[own]).pod("my-longshore-worker").spec["topologySpreadConstraints"]


@pytest.mark.parametrize(
    "changed",
    [
        {"env": {"normal": {"X": "y"}}},
        {"env": {"secret": {"TOKEN": "new"}}},
        {"selfSignedCertificate": {"certificate": "c"}},
    ],
)
def test_what_pods_read_at_their_start_replaces_them_when_it_changes(changed: dict[str, Any]) -> None:
    before, again, after = render().pod(), render().pod(), render(changed).pod()

    assert before.metadata["annotations"] == again.metadata["annotations"]
    assert before.metadata["annotations"]["checksum/config"] != after.metadata["annotations"]["checksum/config"]


def test_containers_are_hardened_unless_you_say_otherwise() -> None:
    rendered = fleet()
    specs = [rendered.pod(f"my-longshore-{part}").spec for part in PARTS]
    for spec in [*specs, rendered.one("StatefulSet")["spec"]["template"]["spec"]]:
        assert spec["automountServiceAccountToken"] is False
        context = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
        assert context.items() <= spec["securityContext"].items()
        (container,) = spec["containers"]
        assert {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        } == container["securityContext"]


def test_a_service_account_of_its_own() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn"}
    rendered = render({"podServiceAccount": {"create": True, "annotations": annotations}})

    assert annotations == rendered.one("ServiceAccount", "my-longshore")["metadata"]["annotations"]
    assert "my-longshore" == rendered.pod().spec["serviceAccountName"]
