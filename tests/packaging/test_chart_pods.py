"""What a cluster, its security and its network ask of pods can be said in values, for every pod of the chart."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.host_table_files import read_host_limits, read_targets
from config.settings import load
from tests.support.chart import NotRendered, Pod, Rendered, render
from tests.support.programs import SETTINGS

pytestmark = pytest.mark.timeout(3600)

FLEET = ("my-longshore-ingest", "my-longshore-worker", "my-longshore-flower")
MODES: list[tuple[str, tuple[str, ...]]] = [("single", ("my-longshore",)), ("fleet", FLEET)]


def pods(rendered: Rendered, names: tuple[str, ...]) -> list[Pod]:
    return [rendered.pod(name) for name in names]


@pytest.mark.parametrize(("mode", "names"), MODES)
def test_what_a_cluster_asks_of_pods_is_in_all_of_the_agents(mode: str, names: tuple[str, ...]) -> None:
    """And templates in it are evaluated, where one would want a name of the release."""
    spec: dict[str, Any] = {
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["hook.internal"]}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.2"]},
        "runtimeClassName": "gvisor",
        "priorityClassName": "high",
        "initContainers": [{"name": "{{ .Release.Name }}-init", "image": "busybox"}],
    }
    sidecar = "- {name: '{{ .Release.Name }}-proxy', image: envoy}\n"
    account = {"create": True, "name": "runner", "annotations": {"role": "arn"}}
    rendered = render({**spec, "mode": mode, "extraContainers": sidecar, "podServiceAccount": account})

    for pod in pods(rendered, names):
        chosen = {name: pod.spec[name] for name in spec}
        assert {**spec, "initContainers": [{"name": "my-init", "image": "busybox"}]} == chosen
        assert [{"name": "my-proxy", "image": "envoy"}] == pod.sidecars
        assert "runner" == pod.spec["serviceAccountName"]
    assert {"role": "arn"} == rendered.one("ServiceAccount", "runner")["metadata"]["annotations"]


def test_pods_have_labels_of_their_own_and_selectors_stay() -> None:
    """That of Redis too; none of them may take a pod out of its Service."""
    labels = {"cost-center": "7", "app.kubernetes.io/name": "mine", "team": "pods"}
    rendered = render({"mode": "fleet", "podLabels": labels, "extraLabels": {"team": "all"}, "runtimeClassName": "g"})
    redis = rendered.one("StatefulSet")["spec"]

    for workload in (*rendered.all("Deployment").values(), rendered.one("StatefulSet")):
        template, selector = workload["spec"]["template"], workload["spec"]["selector"]["matchLabels"]
        assert selector.items() <= template["metadata"]["labels"].items()
        assert ("7", "pods") == tuple(template["metadata"]["labels"][name] for name in ("cost-center", "team"))
        assert "cost-center" not in workload["metadata"]["labels"]
    assert "g" == redis["template"]["spec"]["runtimeClassName"]


def test_a_hook_of_yours_takes_the_place_of_ours_and_leaves_the_other() -> None:
    sleep = {"exec": {"command": ["sleep", "2"]}}
    start, stop = {"exec": {"command": ["touch", "/tmp/port-agent/x"]}}, {"sleep": {"seconds": 9}}

    assert {"preStop": sleep} == render().pod().container["lifecycle"]
    assert {"preStop": sleep, "postStart": start} == (
        render({"lifecycle": {"postStart": start}}).pod().container["lifecycle"]
    )
    assert {"preStop": stop} == render({"lifecycle": {"preStop": stop}}).pod().container["lifecycle"]
    assert "lifecycle" not in render({"preStopSleepSeconds": 0}).pod().container


def test_a_variable_from_elsewhere_stands_in_the_place_of_all_others() -> None:
    """Once: of two of one name Kubernetes takes the last, and complains."""
    client = {"secretKeyRef": {"name": "vault", "key": "client-id"}}
    extra = [
        {"name": "PORT_CLIENT_ID", "valueFrom": client},
        {"name": "PORT_ORG_ID", "value": "{{ .Release.Name }}_org"},
        {"name": "METRICS_PORT", "value": "9999"},
    ]
    values = {
        "env": {"normal": {"PORT_ORG_ID": "org"}},
        "extraEnv": extra,
        "envFrom": [{"configMapRef": {"name": "c"}}],
    }
    pod = render(values).pod()

    assert ("(Secret vault, key client-id)", "my_org", "9999") == tuple(
        pod.env[name] for name in ("PORT_CLIENT_ID", "PORT_ORG_ID", "METRICS_PORT")
    )
    assert [{"name": "metrics", "containerPort": 9999}] == pod.container["ports"]
    assert [{"configMapRef": {"name": "c"}}] == pod.container["envFrom"]
    existing = render({**values, "secret": {"useExistingSecret": True, "name": "mine"}}).pod()
    assert [{"secretRef": {"name": "mine"}}, {"configMapRef": {"name": "c"}}] == existing.container["envFrom"]


def test_an_address_of_redis_from_elsewhere_is_a_redis_of_yours() -> None:
    """And a client secret from elsewhere makes no password that others could make as well."""
    source = {"secretKeyRef": {"name": "vault", "key": "k"}}
    rendered = render({"extraEnv": [{"name": "REDIS_URL", "valueFrom": source}]})
    assert "(Secret vault, key k)" == rendered.pod().env["REDIS_URL"]
    assert "LONGSHORE_DATA" not in rendered.pod().env
    assert {} == rendered.all("StatefulSet")

    secret = {"mode": "fleet", "extraEnv": [{"name": "PORT_CLIENT_SECRET", "valueFrom": source}]}
    first, second = (render(secret).secret("my-longshore-redis")["redis-password"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("is_text", [False, True])
def test_tables_by_host_are_values_that_the_agent_can_read(is_text: bool, tmp_path: Path) -> None:
    """A folder is mounted, not a file, as Kubernetes never changes what is mounted by `subPath`."""
    limits = {"*.internal": {"rate": 5, "concurrency": 2}}
    targets = {"hook.internal:8443": {"tls": {"verify": False}}}
    values = {
        name: json.dumps(table) if is_text else table for name, table in (("limits", limits), ("targets", targets))
    }
    rendered = render({"mode": "fleet", **values})
    data = rendered.one("ConfigMap")["data"]
    (tmp_path / "limits.json").write_text(data["limits.json"])
    (tmp_path / "targets.json").write_text(data["targets.json"])

    for pod in pods(rendered, FLEET):
        mount, volume = pod.mount("/etc/longshore")
        (source,) = volume["projected"]["sources"]
        assert {"configMap": {"name": rendered.one("ConfigMap")["metadata"]["name"]}} == source
        assert "subPath" not in mount
        assert ("/etc/longshore/limits.json", "/etc/longshore/targets.json") == (
            pod.env["LIMITS_FILE"],
            pod.env["TARGETS_FILE"],
        )
    assert (limits, targets) == (json.loads(data["limits.json"]), json.loads(data["targets.json"]))
    assert read_host_limits(tmp_path / "limits.json")
    assert read_targets(tmp_path / "targets.json")


@pytest.mark.parametrize("name", ["limits", "targets"])
def test_a_table_that_is_no_json_is_refused(name: str) -> None:
    with pytest.raises(NotRendered, match=f"{name} is not an object in strict JSON"):
        render({name: "{a: 1,"})


def test_other_tables_leave_the_pods() -> None:
    """Workers and ingest read both files again when they change."""
    for name in ("limits", "targets"):
        first, second = (render({name: {host: {}}}) for host in ("a", "b"))
        assert first.one("ConfigMap") != second.one("ConfigMap")
        assert first.one("Deployment") == second.one("Deployment")


SENTINELS = "sentinel://a:26379;sentinel://b:26379/0"


@pytest.mark.parametrize("kept", ["in values", "in a Secret"])
def test_sentinels_with_logins_and_tls_are_values(kept: str) -> None:
    """What the agent makes of the variables is what was meant."""
    external: dict[str, Any] = {"url": SENTINELS, "masterName": "main", "tls": True}
    sentinel: dict[str, Any] = {"username": "watch", "tls": True}
    if kept == "in values":
        external |= {"password": "p:@/w", "sentinel": {**sentinel, "password": "s w"}}
    else:
        external |= {
            "existingSecret": "ha",
            "existingSecretPasswordKey": "redis",
            "sentinel": {**sentinel, "existingSecretPasswordKey": "watchers"},
        }
    rendered = render({"redis": {"external": external}})
    pod = rendered.pod()
    env = {name: value for name, value in pod.env.items() if name.startswith("REDIS_")}
    address = load({**SETTINGS, **env}).redis

    if kept == "in values":
        assert ("p:@/w", "s w") == (env["REDIS_PASSWORD"], env["REDIS_SENTINEL_PASSWORD"])
        assert {"redis-url", "redis-password", "sentinel-password"} == set(rendered.secret("my-longshore-redis"))
    else:
        assert (("ha", "redis"), ("ha", "watchers")) == (
            pod.source("REDIS_PASSWORD"),
            pod.source("REDIS_SENTINEL_PASSWORD"),
        )
    assert ("sentinel", "main", 2) == (address.kind, address.primary, len(address.nodes))
    assert (None, env["REDIS_PASSWORD"]) == (address.redis.username, address.redis.password)
    assert ("watch", env["REDIS_SENTINEL_PASSWORD"]) == (address.sentinel.username, address.sentinel.password)
    assert address.redis.tls
    assert address.sentinel.tls


@pytest.mark.parametrize(
    ("external", "words"),
    [
        ({"url": SENTINELS, "existingSecret": "ha"}, "url and existingSecret are both set"),
        ({"url": SENTINELS, "sentinel": {"existingSecretPasswordKey": "k"}}, "name that Secret"),
    ],
)
def test_a_login_that_is_half_given_is_refused(external: dict[str, Any], words: str) -> None:
    with pytest.raises(NotRendered, match=words):
        render({"redis": {"external": external}})


@pytest.mark.parametrize(("openshift", "is_visible"), [(True, False), ("auto", True)])
def test_openshift_gives_every_pod_its_ids(openshift: object, is_visible: bool) -> None:
    """It refuses ids that are not of the namespace's range; where it cannot be seen, one says that it is there."""
    api = ["--api-versions", "security.openshift.io/v1"] if is_visible else []
    rendered = render({"mode": "fleet", "openshift": openshift}, *api)
    for spec in (*(pod.spec for pod in pods(rendered, FLEET)), rendered.one("StatefulSet")["spec"]["template"]["spec"]):
        assert {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} == spec["securityContext"]

    assert 1000 == render({"openshift": False}, *api).pod().spec["securityContext"]["runAsUser"]


GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "helm.md"
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)]


@pytest.mark.parametrize("mode", ["single", "fleet"])
@pytest.mark.parametrize("values", EXAMPLES, ids=lambda values: "-".join(values))
def test_each_example_of_the_guide_gives_what_it_says(values: dict[str, Any], mode: str) -> None:
    """Each variable is in each pod of the agent, secret ones by the Secret; and what is mounted has its volume."""
    rendered = render({**values, "mode": mode})
    for name in rendered.all("Deployment"):
        pod = rendered.pod(name)
        for kind in ("normal", "secret"):
            for variable, value in values.get("env", {}).get(kind, {}).items():
                assert value == pod.env[variable]
                assert (kind == "secret") == (pod.source(variable) is not None)
        assert all(pod.mount(path) for path in pod.mounts)


def test_the_chart_makes_no_login_where_people_have_one() -> None:
    """With both of them Flower would ask for both."""
    (accounts,) = [values for values in EXAMPLES if "FLOWER_AUTH" in values.get("env", {}).get("normal", {})]
    rendered = render({**accounts, "mode": "fleet"})

    assert "FLOWER_BASIC_AUTH" not in rendered.pod("my-longshore-flower").env
    assert {"my-longshore", "my-longshore-redis"} == set(rendered.all("Secret"))
    own = render({"mode": "fleet", "env": {"secret": {"FLOWER_BASIC_AUTH": "ann:pass"}}})
    assert "ann:pass" == own.pod("my-longshore-flower").env["FLOWER_BASIC_AUTH"]
