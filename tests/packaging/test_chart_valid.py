"""The chart is one that Kubernetes takes, the oldest and the newest, and it says what is wrong with values."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.support.chart import CHART, NotRendered, render, run_helm

pytestmark = pytest.mark.timeout(3600)

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("1.25", "1.37")
"""The oldest that docs/how-to/helm.md names, and the newest there is a schema of."""
NOT_OF_KUBERNETES = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}

EVERYTHING: dict[str, Any] = {
    "mode": "fleet",
    "env": {"normal": {"PORT_ORG_ID": "org"}, "secret": {"PORT_CLIENT_SECRET": "s"}},
    "extraLabels": {"a": "b"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
    "limits": {"*.internal": {"rate": 5}},
    "extraEnv": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    "envFrom": [{"configMapRef": {"name": "more"}}],
    "initContainers": [{"name": "wait", "image": "busybox", "command": ["true"]}],
    "extraContainers": [{"name": "{{ .Release.Name }}-proxy", "image": "envoy"}],
    "lifecycle": {"postStart": {"exec": {"command": ["true"]}}},
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["hook.internal"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.2"], "options": [{"name": "ndots", "value": "2"}]},
    "runtimeClassName": "gvisor",
    "openshift": True,
    "imagePullSecrets": [{"name": "pull"}],
    "priorityClassName": "high",
    "podServiceAccount": {"create": True, "annotations": {"a": "b"}},
    "controlThePayloadConfig": "[]",
    "selfSignedCertificate": {"enabled": True, "certificate": "c"},
    "extraVolumes": [{"name": "v", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "tolerations": [{"key": "k", "operator": "Exists"}],
    "nodeSelector": {"a": "b"},
    "persistence": {"storageClass": "fast"},
    "flower": {"ingress": {"enabled": True, "host": "h.io", "className": "nginx", "tlsSecret": "t"}},
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {
        "enabled": True,
        "flowerFrom": [{"namespaceSelector": {}}],
        "metricsFrom": [{"podSelector": {}}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
}

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "everything in one pod": {**EVERYTHING, "mode": "single", "redis": {"mode": "deployed"}},
    "scaled by cpu": {**EVERYTHING, "worker": {"autoscaling": {"enabled": True}}},
    "scaled by KEDA": {**EVERYTHING, "worker": {"keda": {"enabled": True, "prometheusAddress": "http://p"}}},
    "replicas": {"replicaCount": 3},
    "replicas as text": {"replicaCount": "3"},
    "nothing lasts": {"persistence": {"enabled": False}},
    "nothing lasts in a fleet": {"mode": "fleet", "persistence": {"enabled": False}},
    "a Redis elsewhere": {"mode": "fleet", "redis": {"external": {"url": "rediss://r:6380/0"}}},
    "sentinels": {"redis": {"external": {"url": "sentinel://a:1;sentinel://b:1/0", "masterName": "m"}}},
    "existing secrets": {
        "mode": "fleet",
        "secret": {"useExistingSecret": True, "name": "x"},
        "redis": {"auth": {"existingSecret": "y"}},
        "flower": {"auth": {"existingSecret": "z"}},
        "selfSignedCertificate": {"enabled": True, "secret": {"useExistingSecret": True, "name": "c"}},
    },
    "no metrics": {"metrics": {"port": 0}, "networkPolicy": {"enabled": True}},
    "small": {"resources": {"limits": {"memory": "256Mi", "cpu": "200m"}}},
    "long names": {"mode": "fleet", "nameOverride": "n" * 63},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_kubernetes_takes_what_is_rendered(name: str) -> None:
    """By its own schemas, in which an unknown field is an error."""
    for manifest in render(CONFIGURATIONS[name]).manifests:
        if manifest["kind"] not in NOT_OF_KUBERNETES:
            for version in VERSIONS:
                kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_names_and_labels_are_short_enough_and_variables_follow(name: str) -> None:
    """What the schemas do not say: lengths, volumes for mounts, no name twice."""
    rendered = render(CONFIGURATIONS[name], release="r" * 53)
    for manifest in rendered.manifests:
        # Pods of a StatefulSet get a hash behind it in a label; Secrets may be longer than what is a host name.
        limit = {"StatefulSet": 52, "Secret": 253}.get(manifest["kind"], 63)
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", manifest["metadata"]["name"])
        assert len(manifest["metadata"]["name"]) <= limit
        for value in manifest["metadata"]["labels"].values():
            assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value)
        rendered.all(manifest["kind"])
    for deployment in rendered.all("Deployment"):
        pod = rendered.pod(deployment)
        volumes = [volume["name"] for volume in pod.spec["volumes"]]
        assert len(volumes) == len(set(volumes))
        for path in pod.mounts:
            pod.mount(path)
        assert pod.env


def test_the_newest_version_is_checked() -> None:
    """kubernetes-validate brings a newer schema with each release."""
    assert VERSIONS[1] == ".".join(kubernetes_validate.latest_version().split(".")[:2])
    assert f"Kubernetes {VERSIONS[0]} or newer" in (ROOT / "docs" / "how-to" / "helm.md").read_text()


@pytest.mark.parametrize("name", ["defaults", "everything"])
def test_helm_finds_nothing_to_complain_about(name: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(CONFIGURATIONS[name]))
    done = run_helm("lint", "--strict", str(CHART), "--values", str(tmp_path / "values.yaml"))

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


def test_it_can_be_packaged_with_all_it_needs(tmp_path: Path) -> None:
    """The dashboards come along, although they live elsewhere."""
    done = run_helm("package", str(CHART), "--destination", str(tmp_path))
    assert 0 == done.returncode, done.stderr
    (package,) = tmp_path.glob("longshore-*.tgz")

    values = "metrics.dashboard.enabled=true"
    done = run_helm("template", "my", str(package), "--set", values, "--show-only", "templates/monitoring.yaml")
    assert 0 == done.returncode, done.stderr
    assert yaml.safe_load(done.stdout)["data"]


def test_it_is_of_the_same_version_as_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert f'\nversion = "{chart["appVersion"]}"\n' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicas": 2}, "replicas"),
        ({"worker": {"replicaz": 2}}, "replicaz"),
        ({"selfSignedCertificate": {"enable": True}}, "'enable'"),
        ({"mode": "flet"}, "'single', 'fleet'"),
        ({"rolloutStrategy": "recreate"}, "'Recreate', 'RollingUpdate'"),
        ({"replicaCount": -1}, "replicaCount"),
        ({"env": {"secret": {"group": {"token": "x"}}}}, "env/secret/group"),
        ({"redis": {"external": {"url": "http://x"}}}, "redis/external/url"),
        ({"flower": {"auth": {"basic": "nopassword"}}}, "flower/auth/basic"),
        ({"resources": {"limits": {"memory": "256MB"}}}, "resources/limits/memory"),
        ({"resources": {"memory": "256Mi"}}, "'memory'"),
        ({"dnsPolicy": "default"}, "dnsPolicy"),
        ({"redis": {"external": {"sentinel": {"user": "x"}}}}, "'user'"),
        ({"controlThePayloadConfig": "- enabled: true"}, "controlThePayloadConfig is not a list in strict JSON"),
        ({"controlThePayloadConfig": "[{}, // ours\n]"}, "controlThePayloadConfig is not a list in strict JSON"),
        ({"controlThePayloadConfig": "[{},]"}, "controlThePayloadConfig is not a list in strict JSON"),
        ({"controlThePayloadConfig": "{}"}, "controlThePayloadConfig is not a list in strict JSON"),
        ({"controlThePayloadConfig": {"enabled": True}}, "controlThePayloadConfig"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(values: dict[str, Any], words: str) -> None:
    with pytest.raises(NotRendered) as refused:
        render(values)

    assert words in str(refused.value)


def test_as_part_of_another_chart_it_takes_what_charts_are_given() -> None:
    assert render({"global": {"region": "eu"}, "enabled": True}).pod()


def test_every_value_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "chart-values.md").read_text()
    described = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)

    def missing(values: Any, path: str) -> list[str]:
        if path in described:
            return []
        if isinstance(values, dict) and values:
            return [name for key, value in values.items() for name in missing(value, f"{path}.{key}".lstrip("."))]
        return [path]

    assert [] == missing(yaml.safe_load((CHART / "values.yaml").read_text()), "")
