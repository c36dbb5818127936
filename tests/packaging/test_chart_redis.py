"""Where the chart gets its Redis from, and that its data and its password last."""

from typing import Any

import pytest

from tests.support.chart import NotRendered, render

pytestmark = pytest.mark.timeout(3600)

CLIENT = {"env": {"secret": {"PORT_CLIENT_SECRET": "s3cret"}}}


def test_one_pod_keeps_its_redis_in_a_volume_that_outlives_the_release() -> None:
    rendered = render()
    claim = rendered.one("PersistentVolumeClaim")

    mount, volume = rendered.pod().mount("/var/lib/longshore")
    assert {"claimName": claim["metadata"]["name"]} == volume["persistentVolumeClaim"]
    assert "keep" == claim["metadata"]["annotations"]["helm.sh/resource-policy"]
    assert "storageClassName" not in claim["spec"]
    assert "readOnly" not in mount
    assert 1000 == rendered.pod().spec["securityContext"]["fsGroup"]
    assert {} == rendered.all("StatefulSet")


def test_a_user_of_another_id_may_write_to_the_volume() -> None:
    """By the group of the volume; whoever names a group keeps it."""
    assert {"runAsUser": 7, "fsGroup": 1000} == (
        render({"podSecurityContext": {"runAsUser": 7}}).pod().spec["securityContext"]
    )
    assert {"fsGroup": 9} == render({"podSecurityContext": {"fsGroup": 9}}).pod().spec["securityContext"]


def test_a_volume_of_your_choice() -> None:
    chosen = {"size": "9Gi", "storageClass": "fast", "accessModes": ["ReadWriteOncePod"]}
    spec = render({"persistence": chosen}).one("PersistentVolumeClaim")["spec"]
    assert ("fast", ["ReadWriteOncePod"]) == (spec["storageClassName"], spec["accessModes"])
    assert {"requests": {"storage": "9Gi"}} == spec["resources"]

    rendered = render({"persistence": {"existingClaim": "mine"}})
    assert {} == rendered.all("PersistentVolumeClaim")
    assert {"claimName": "mine"} == rendered.pod().mount("/var/lib/longshore")[1]["persistentVolumeClaim"]


def test_without_a_volume_kafka_is_told_only_what_is_finished() -> None:
    """So that a lost pod loses no invocation."""
    rendered = render({"persistence": {"enabled": False}})

    assert {} == rendered.all("PersistentVolumeClaim")
    assert "emptyDir" in rendered.pod().mount("/var/lib/longshore")[1]
    assert "finished" == rendered.pod().env["COMMIT_MODE"]
    deployed = render({"persistence": {"enabled": False}, "mode": "fleet"})
    assert "finished" == deployed.pod("my-longshore-ingest").env["COMMIT_MODE"]
    assert "volumeClaimTemplates" not in deployed.one("StatefulSet")["spec"]


@pytest.mark.parametrize(
    "values", [{"replicaCount": 2}, {"rolloutStrategy": "RollingUpdate"}, {"redis": {"mode": "deployed"}}]
)
def test_more_than_one_pod_at_a_time_share_a_redis(values: dict[str, Any]) -> None:
    """Also where they are two only while one replaces the other."""
    rendered = render({**CLIENT, **values})
    redis = rendered.one("StatefulSet")
    env = rendered.pod().env

    assert "LONGSHORE_DATA" not in env
    password = rendered.secret("my-longshore-redis")["redis-password"]
    assert f"redis://:{password}@my-longshore-redis:6379/0" == env["REDIS_URL"]
    assert ("my-longshore-redis", "redis-url") == rendered.pod().source("REDIS_URL")
    assert "my-longshore-redis" == redis["metadata"]["name"] == redis["spec"]["serviceName"]
    service = rendered.one("Service", "my-longshore-redis")
    labels = redis["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    agent = rendered.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert not agent.items() <= labels.items(), "the Deployment would take Redis for one of its pods"


def test_the_deployed_redis_keeps_all_it_is_given() -> None:
    rendered = render({"mode": "fleet", "redis": {"maxMemoryMb": 300}})
    spec = rendered.one("StatefulSet")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    script = container["command"][-1]

    for words in ("--appendonly yes", "--appendfsync everysec", "--maxmemory 300mb", "--maxmemory-policy noeviction"):
        assert words in script
    assert script.startswith("exec "), "a shell in front of it would not pass SIGTERM on"
    assert ["data"] == [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]]
    assert [{"name": "data", "mountPath": "/data"}] == container["volumeMounts"]


def test_its_password_stands_in_a_secret_alone() -> None:
    rendered = render({**CLIENT, "mode": "fleet"})
    password = rendered.secret("my-longshore-redis")["redis-password"]

    assert len(password) == 40
    assert not [one for one in rendered.manifests if one["kind"] != "Secret" and password in str(one)]


def test_its_password_is_the_same_each_time_without_looking_into_the_cluster() -> None:
    """As Argo CD renders it; it follows from the client secret, from which it cannot be told."""
    values = {**CLIENT, "mode": "fleet"}
    first, again = render(values), render(values)
    other = render({"env": {"secret": {"PORT_CLIENT_SECRET": "another"}}, "mode": "fleet"})

    assert first.secret("my-longshore-redis") == again.secret("my-longshore-redis")
    assert first.secret("my-longshore-flower") == again.secret("my-longshore-flower")
    assert first.secret("my-longshore-redis") != other.secret("my-longshore-redis")
    assert first.secret("my-longshore-redis")["redis-password"] != first.secret("my-longshore-flower")["password"]


def test_without_a_client_secret_it_is_a_random_one_the_same_everywhere() -> None:
    first, again = (render({"secret": {"useExistingSecret": True}, "mode": "fleet"}) for _ in range(2))
    secret = first.secret("my-longshore-redis")

    assert secret != again.secret("my-longshore-redis")
    assert secret["redis-password"] in secret["redis-url"]


def test_a_password_of_yours() -> None:
    rendered = render({"mode": "fleet", "redis": {"auth": {"password": "p@ss/word"}}})
    assert "redis://:p%40ss%2Fword@my-longshore-redis:6379/0" == rendered.secret("my-longshore-redis")["redis-url"]

    own = {"existingSecret": "mine", "existingSecretKey": "pw"}
    rendered = render({"mode": "fleet", "redis": {"auth": own}})
    assert "my-longshore-redis" not in rendered.all("Secret")
    pod = rendered.pod("my-longshore-worker")
    assert ("mine", "pw") == pod.source("REDIS_PASSWORD")
    assert "redis://my-longshore-redis:6379/0" == pod.env["REDIS_URL"], "in an address it would have to be encoded"
    (container,) = rendered.one("StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert {"name": "mine", "key": "pw"} == container["env"][0]["valueFrom"]["secretKeyRef"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pw@redis.acme.io:6379/0",
        "rediss://longshore:pw@redis.acme.io:6380/1",
        "sentinel://:pw@a:26379;sentinel://b:26379/0",
    ],
)
@pytest.mark.parametrize("mode", ["single", "fleet"])
def test_a_redis_of_yours(url: str, mode: str) -> None:
    rendered = render({"mode": mode, "redis": {"external": {"url": url, "masterName": "main"}}})

    assert {} == rendered.all("StatefulSet")
    assert {} == rendered.all("PersistentVolumeClaim")
    for name in rendered.all("Deployment"):
        pod = rendered.pod(name)
        assert (url, "main") == (pod.env["REDIS_URL"], pod.env["REDIS_MASTER_NAME"])
        assert pod.source("REDIS_URL"), "it may hold a password"
        assert "LONGSHORE_DATA" not in pod.env


def test_a_redis_of_yours_by_a_secret_that_is_there() -> None:
    external = {"existingSecret": "ha-redis", "existingSecretKey": "uri"}
    rendered = render({"redis": {"external": external}})

    assert ("ha-redis", "uri") == rendered.pod().source("REDIS_URL")
    assert {"my-longshore"} == set(rendered.all("Secret"))


@pytest.mark.parametrize("where", ["normal", "secret"])
def test_a_redis_of_yours_by_its_variable(where: str) -> None:
    rendered = render({"replicaCount": 2, "env": {where: {"REDIS_URL": "redis://mine:6379"}}})

    assert "redis://mine:6379" == rendered.pod().env["REDIS_URL"]
    assert {} == rendered.all("StatefulSet")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mode": "fleet", "redis": {"mode": "embedded"}}, "mode: single"),
        ({"replicaCount": 2, "redis": {"mode": "embedded"}}, "replicaCount must be 1"),
        ({"rolloutStrategy": "RollingUpdate", "redis": {"mode": "embedded"}}, "rolloutStrategy Recreate"),
        ({"redis": {"mode": "external"}}, "redis.external.url"),
        ({"redis": {"external": {"url": "redis://x", "existingSecret": "y"}}}, "give one of them"),
        ({"flower": {"enabled": True}}, "redis.mode: deployed"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_remedy(values: dict[str, Any], words: str) -> None:
    with pytest.raises(NotRendered, match=words):
        render(values)
