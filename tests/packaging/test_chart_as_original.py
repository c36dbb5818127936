"""Who used Port's chart changes its name and keeps values.yaml: the same variables and mounts come out.

The expectations are written by hand from the contract of that chart (0.8.15), value by value.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, Rendered, render

pytestmark = pytest.mark.timeout(3600)  # the first test may have to wait until helm is built

DEFAULT_VARIABLES = {
    "GITLAB_URL": "https://gitlab.com/",
    "STREAMER_NAME": "KAFKA",
    "PORT_ORG_ID": "",
    "PORT_API_BASE_URL": "https://api.getport.io",
    "KAFKA_CONSUMER_GROUP_ID": "",
    "KAFKA_CONSUMER_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_CONSUMER_AUTO_OFFSET_RESET": "largest",
    "DETAILED_LOGGING": "true",
    "WEBHOOK_VERIFY_SSL": "true",
    "PORT_CLIENT_ID": "",
    "PORT_CLIENT_SECRET": "",
}
ADDED = {"METRICS_PORT": "9464", "LONGSHORE_DATA": "/var/lib/longshore"}
"""What is new; docs/how-to/coming-from-port-agent.md lists it."""
ADDED_MOUNTS = {"/tmp/port-agent", "/var/lib/longshore"}

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
CA_PATH = "/usr/local/share/ca-certificates/cert.crt"
FILES = "/etc/longshore"

WHOLE_FILE = """
image: {repository: ghcr.io/port-labs/port-agent, pullPolicy: IfNotPresent, tag: "v0.8.10"}
replicaCount: 1
rolloutStrategy: "Recreate"
imagePullSecrets: []
nameOverride: ""
fullnameOverride: ""
extraLabels: {}
podAnnotations: {}
podServiceAccount: {name: null}
secret: {name: "", annotations: {}, useExistingSecret: false}
env:
  normal: {GITLAB_URL: "https://gitlab.com/", PORT_ORG_ID: org_AbC123}
  secret: {PORT_CLIENT_ID: id, PORT_CLIENT_SECRET: secret}
controlThePayloadConfig: ""
selfSignedCertificate: {enabled: false, certificate: "", secret: {useExistingSecret: false, name: "", key: crt}}
extraVolumes: []
extraVolumeMounts: []
resources: {requests: {memory: "128Mi", cpu: "100m"}, limits: {memory: "256Mi", cpu: "200m"}}
podSecurityContext: {}
containerSecurityContext: {}
nodeSelector: {}
tolerations: []
affinity: {}
"""
"""A values.yaml in which everything of that chart was kept."""


def test_its_defaults_give_its_variables_and_ours() -> None:
    pod = render(defaults={}).pod()

    assert DEFAULT_VARIABLES | ADDED == pod.env
    assert ADDED_MOUNTS == pod.mounts
    assert ("my-longshore", "PORT_CLIENT_SECRET") == pod.source("PORT_CLIENT_SECRET")
    assert pod.source("PORT_ORG_ID") is None
    assert ["run"] == pod.container["args"]


def test_all_its_values_are_there_with_the_same_defaults() -> None:
    """But for the image, and for resources, which are raised on purpose."""
    ours = yaml.safe_load((CHART / "values.yaml").read_text())
    theirs = yaml.safe_load(WHOLE_FILE)
    # What differs on purpose, and what stands for a user's own settings above.
    for name in ("image", "resources", "env"):
        del theirs[name]

    def check(mine: Any, original: Any, path: str) -> None:
        if isinstance(original, dict) and original:
            for key, value in original.items():
                assert key in mine, f"{path}.{key}"
                check(mine[key], value, f"{path}.{key}")
        else:
            assert original == mine, path

    check(ours, theirs, "")


def test_a_whole_values_file_of_it_works_as_it_is() -> None:
    """Its image cannot run our commands, so ours takes its place; its limits of memory ask for the small profile."""
    rendered = render(yaml.safe_load(WHOLE_FILE))
    pod = rendered.pod()

    assert pod.container["image"].startswith("longshore:")
    assert "v0.8.10" not in pod.container["image"]
    assert {"requests": {"memory": "128Mi", "cpu": "100m"}, "limits": {"memory": "256Mi", "cpu": "200m"}} == (
        pod.container["resources"]
    )
    assert "small" == pod.env["LONGSHORE_PROFILE"]
    assert {"PORT_CLIENT_ID": "id", "PORT_CLIENT_SECRET": "secret"} == rendered.secret("my-longshore")


def test_any_image_is_taken_by_name_and_tag() -> None:
    app_version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]

    assert (
        f"reg.acme.io/longshore:{app_version}"
        == (render({"image": {"repository": "reg.acme.io/longshore"}}).pod().container["image"])
    )
    chosen = render({"image": {"repository": "r/l", "tag": "v9", "pullPolicy": "Always"}}).pod().container
    assert ("r/l:v9", "Always") == (chosen["image"], chosen["imagePullPolicy"])


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("my", {}, "my-longshore"),
        ("longshore", {}, "longshore"),
        ("a-longshore-b", {}, "a-longshore-b"),
        ("my", {"nameOverride": "port-agent"}, "my-port-agent"),
        ("my-port-agent", {"nameOverride": "port-agent"}, "my-port-agent"),
        ("my", {"fullnameOverride": "just-this"}, "just-this"),
        ("r" * 53, {"nameOverride": "n" * 30}, "r" * 53 + "-" + "n" * 9),
    ],
)
def test_names_follow_its_rule(release: str, values: dict[str, Any], name: str) -> None:
    """The release's name if it contains the chart's, else both; 63 characters."""
    rendered = render(values, release=release)

    assert {name} == set(rendered.all("Deployment"))
    assert {name} == set(rendered.all("Secret"))


def test_with_its_name_the_selector_is_the_one_it_had() -> None:
    """A selector cannot be changed: so an upgrade of its release in place goes through."""
    deployment = render({"nameOverride": "port-agent"}, release="port-agent").one("Deployment", "port-agent")

    labels = {"app.kubernetes.io/name": "port-agent", "app.kubernetes.io/instance": "port-agent"}
    assert {"matchLabels": labels} == deployment["spec"]["selector"]
    assert labels.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_labels_and_annotations_go_where_it_put_them() -> None:
    values = {
        "extraLabels": {"team": "platform"},
        "podAnnotations": {"prometheus.io/scrape": "false"},
        "secret": {"annotations": {"reflector": "yes"}},
    }
    rendered = render(values)
    pod = rendered.pod()

    for labels in (
        rendered.one("Deployment")["metadata"]["labels"],
        pod.metadata["labels"],
        rendered.one("Secret")["metadata"]["labels"],
    ):
        assert "platform" == labels["team"]
        assert "my" == labels["app.kubernetes.io/instance"]
        assert "longshore" == labels["app.kubernetes.io/name"]
        assert "Helm" == labels["app.kubernetes.io/managed-by"]
        assert labels["app.kubernetes.io/version"]
        assert labels["helm.sh/chart"].startswith("longshore-")
    assert "false" == pod.metadata["annotations"]["prometheus.io/scrape"]
    assert {"reflector": "yes"} == rendered.one("Secret")["metadata"]["annotations"]


def test_any_variable_may_be_added_and_is_always_text() -> None:
    """Numbers and booleans of YAML too, large ones digit by digit."""
    normal = {
        "WEBHOOK_INVOKER_TIMEOUT": 12.5,
        "MESSAGE_MAX_BYTES": 33554432,
        "FLAG": True,
        "EMPTY": "",
        "NO_PROXY": "a,b",
    }
    secret = {"platform_tools_billing": "glptt-TEST", "NUMBER": 12345678}
    rendered = render({"env": {"normal": normal, "secret": secret}})
    env = rendered.pod().env

    assert {
        "WEBHOOK_INVOKER_TIMEOUT": "12.5",
        "MESSAGE_MAX_BYTES": "33554432",
        "FLAG": "true",
        "EMPTY": "",
        "NO_PROXY": "a,b",
        "platform_tools_billing": "glptt-TEST",
        "NUMBER": "12345678",
    }.items() <= env.items()
    assert "glptt-TEST" == rendered.secret("my-longshore")["platform_tools_billing"]


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    """`NO` is false to YAML and 123 a number; neither is refused by Kubernetes as the name of something."""
    values = {"env": {"normal": {"NO": "1", "Y": "x"}, "secret": {"ON": "t"}}, "secret": {"name": "y"}}
    rendered = render(values, release="123")

    assert {"NO": "1", "Y": "x", "ON": "t"}.items() <= rendered.pod("123-longshore").env.items()
    assert "t" == rendered.secret("y")["ON"]
    assert "123" == rendered.one("Deployment")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"]


def test_the_install_command_of_the_guide() -> None:
    given = {
        "env.normal.PORT_ORG_ID": "org_AbC123",
        "env.normal.KAFKA_CONSUMER_GROUP_ID": "org_AbC123.agent",
        "env.secret.PORT_CLIENT_ID": "client",
        "env.secret.PORT_CLIENT_SECRET": "s3cret",
        "env.secret.platform_tools_billing": "glptt-TEST",
        "env.normal.GITLAB_URL": "https://gitlab.acme.io/",
    }
    env = render({}, *(part for name, value in given.items() for part in ("--set", f"{name}={value}"))).pod().env

    assert DEFAULT_VARIABLES | ADDED | {name.split(".")[2]: value for name, value in given.items()} == env


def test_a_name_in_both_is_given_once_and_normal_wins() -> None:
    """Port's chart made two entries of it, of which Kubernetes takes the last one."""
    rendered = render({"env": {"normal": {"TOKEN": "clear"}, "secret": {"TOKEN": "hidden"}}})

    assert "clear" == rendered.pod().env["TOKEN"]
    assert rendered.pod().source("TOKEN") is None


def test_what_the_chart_would_set_gives_way_to_you() -> None:
    values = {
        "env": {"normal": {"METRICS_PORT": "9999"}, "secret": {"LONGSHORE_DATA": "/mine", "LONGSHORE_PROFILE": "small"}}
    }
    pod = render(values).pod()

    assert ("9999", "/mine", "small") == tuple(
        pod.env[name] for name in ("METRICS_PORT", "LONGSHORE_DATA", "LONGSHORE_PROFILE")
    )
    assert 9999 == pod.container["ports"][0]["containerPort"]
    assert "/var/lib/longshore" not in pod.mounts


def test_the_secret_of_credentials_may_have_another_name() -> None:
    rendered = render({"secret": {"name": "mine"}})

    assert {"PORT_CLIENT_ID", "PORT_CLIENT_SECRET"} == set(rendered.secret("mine"))
    assert ("mine", "PORT_CLIENT_ID") == rendered.pod().source("PORT_CLIENT_ID")


def test_an_existing_secret_gives_all_its_keys() -> None:
    """None is made, and nothing of env.secret is used."""
    rendered = render({"secret": {"name": "theirs", "useExistingSecret": True}, "env": {"secret": {"X": "y"}}})
    pod = rendered.pod()

    assert {} == rendered.all("Secret")
    assert [{"secretRef": {"name": "theirs"}}] == pod.container["envFrom"]
    assert not {"X", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET"} & set(pod.env)


def test_an_existing_secret_without_a_name_is_the_one_of_the_release() -> None:
    pod = render({"secret": {"useExistingSecret": True}}).pod()

    assert [{"secretRef": {"name": "my-longshore"}}] == pod.container["envFrom"]


@pytest.mark.parametrize("way", ["values", "--set-file"])
def test_a_mapping_is_mounted_where_it_is_read(way: str, tmp_path: Path) -> None:
    """In a folder: a file mounted by `subPath`, as that chart did, never changes in a running pod."""
    mapping = json.dumps([{"enabled": '.action == "x"', "url": '"http://{{ not a template }}"'}], indent=2) + "\n"
    (tmp_path / "mapping.json").write_text(mapping)
    rendered = (
        render({"controlThePayloadConfig": mapping})
        if way == "values"
        else render({}, "--set-file", f"controlThePayloadConfig={tmp_path / 'mapping.json'}")
    )
    mount, volume = rendered.pod().mount(FILES)

    assert {"controlThePayloadConfig": mapping} == rendered.one("ConfigMap")["data"]
    assert "subPath" not in mount
    (source,) = volume["projected"]["sources"]
    assert "my-longshore" == source["configMap"]["name"] == rendered.one("ConfigMap")["metadata"]["name"]
    (item,) = source["configMap"]["items"]
    assert "controlThePayloadConfig" == item["key"]
    assert f"{FILES}/{item['path']}" == rendered.pod().env["CONTROL_THE_PAYLOAD_CONFIG_PATH"]


def test_a_changed_mapping_leaves_the_pods() -> None:
    """All programs follow the file; only the first mapping, and the last one's end, ask for other pods."""
    first, second = (render({"controlThePayloadConfig": text}) for text in ("[]", '[{"enabled": true}]'))

    assert first.one("ConfigMap") != second.one("ConfigMap")
    assert first.one("Deployment") == second.one("Deployment")


def test_a_variable_that_names_its_place_still_finds_the_mapping_there() -> None:
    """Not the one in the image; and as no pod sees that file change, a change replaces the pods."""
    place = "/app/control_the_payload_config.json"
    values = {"env": {"normal": {"CONTROL_THE_PAYLOAD_CONFIG_PATH": place}}}
    first, second = (render({**values, "controlThePayloadConfig": text}).pod() for text in ("[]", '[{"body": null}]'))

    assert place == first.env["CONTROL_THE_PAYLOAD_CONFIG_PATH"]
    assert "control_the_payload_config.json" == first.mount(place)[0]["subPath"]
    assert first.metadata["annotations"] != second.metadata["annotations"]


def test_a_mapping_may_be_written_as_yaml_too() -> None:
    mapping = [{"enabled": True, "url": '"http://x/"'}]

    stored = render({"controlThePayloadConfig": mapping}).one("ConfigMap")["data"]["controlThePayloadConfig"]

    assert mapping == json.loads(stored)


def test_without_a_mapping_the_one_in_the_image_stays() -> None:
    rendered = render()

    assert {} == rendered.all("ConfigMap")
    assert FILES not in rendered.pod().mounts
    assert "CONTROL_THE_PAYLOAD_CONFIG_PATH" not in rendered.pod().env


def _assert_ca(rendered: Rendered, secret: str, key: str) -> None:
    mount, volume = rendered.pod().mount(CA_PATH)
    assert {"name": "certificates", "mountPath": CA_PATH, "subPath": "cert.crt", "readOnly": True} == mount
    source = {"name": secret, "items": [{"key": key, "path": "cert.crt"}]}
    assert {"name": "certificates", "projected": {"sources": [{"secret": source}]}} == volume


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_certificate_is_mounted_with_or_without_a_final_newline(end: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CERTIFICATE + end)
    for rendered in (
        render({"selfSignedCertificate": {"enabled": True, "certificate": CERTIFICATE + end}}),
        render(
            {"selfSignedCertificate": {"enabled": True}},
            "--set-file",
            f"selfSignedCertificate.certificate={tmp_path / 'ca.pem'}",
        ),
    ):
        assert {"crt": CERTIFICATE + end} == rendered.secret("my-longshore-cert")
        _assert_ca(rendered, "my-longshore-cert", "crt")


def test_a_certificate_of_an_existing_secret() -> None:
    secret = {"useExistingSecret": True, "name": "company", "key": "ca.pem"}
    rendered = render({"selfSignedCertificate": {"enabled": True, "secret": secret}})

    _assert_ca(rendered, "company", "ca.pem")
    assert {"my-longshore"} == set(rendered.all("Secret"))


def test_extra_volumes_are_appended_and_their_templates_evaluated() -> None:
    """With the certificate above, all CAs are there at once, in one file and in a whole folder."""
    values = {
        "selfSignedCertificate": {"enabled": True, "certificate": CERTIFICATE},
        "extraVolumes": [
            {"name": "more", "configMap": {"name": "{{ .Release.Name }}-cas"}},
            {"name": "folder", "secret": {"secretName": "many"}},
        ],
        "extraVolumeMounts": [
            {"name": "more", "mountPath": "/usr/local/share/ca-certificates/{{ .Release.Name }}.crt", "subPath": "a"},
            {"name": "folder", "mountPath": "/usr/local/share/ca-certificates/many", "readOnly": True},
        ],
    }
    pod = render(values).pod()

    folder = "/usr/local/share/ca-certificates"
    assert {CA_PATH, f"{folder}/my.crt", f"{folder}/many"} | ADDED_MOUNTS == pod.mounts
    assert {"name": "my-cas"} == pod.mount(f"{folder}/my.crt")[1]["configMap"]
    assert {"secretName": "many"} == pod.mount(f"{folder}/many")[1]["secret"]


def test_extra_volumes_may_be_one_text() -> None:
    pod = render(
        {"extraVolumes": "- name: x\n  emptyDir: {}\n", "extraVolumeMounts": "- {name: x, mountPath: /x}\n"}
    ).pod()

    assert {"name": "x", "emptyDir": {}} == pod.mount("/x")[1]


def test_a_volume_of_yours_at_the_scratch_folder_takes_the_place_of_ours() -> None:
    """As somebody had to have who ran Port's agent with a read-only root; two at one path would be refused."""
    values = {
        "extraVolumes": [{"name": "tmp", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "tmp", "mountPath": "/tmp/port-agent"}],
    }
    pod = render(values).pod()

    assert "tmp" == pod.mount("/tmp/port-agent")[0]["name"]
    assert "longshore-scratch" not in {volume["name"] for volume in pod.spec["volumes"]}


def test_a_bundle_of_your_own_by_extra_volume() -> None:
    values = {
        "env": {"normal": {"REQUESTS_CA_BUNDLE": "/etc/mine/cacert.pem", "HTTPS_PROXY": "http://proxy:3128"}},
        "extraVolumes": [{"name": "mine", "configMap": {"name": "mine"}}],
        "extraVolumeMounts": [{"name": "mine", "mountPath": "/etc/mine"}],
    }
    pod = render(values).pod()

    assert "/etc/mine/cacert.pem" == pod.env["REQUESTS_CA_BUNDLE"]
    assert "http://proxy:3128" == pod.env["HTTPS_PROXY"]
    assert "/etc/mine" in pod.mounts


def test_what_goes_into_the_pod_as_it_is() -> None:
    values = {
        "rolloutStrategy": "RollingUpdate",
        "replicaCount": 3,
        "imagePullSecrets": [{"name": "pull"}],
        "podServiceAccount": {"name": "robot"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "podSecurityContext": {"runAsUser": 4242},
        "containerSecurityContext": {"runAsNonRoot": True},
    }
    rendered = render(values)
    deployment, pod = rendered.one("Deployment"), rendered.pod()

    assert 3 == deployment["spec"]["replicas"]
    assert {"type": "RollingUpdate"} == deployment["spec"]["strategy"]
    assert [{"name": "pull"}] == pod.spec["imagePullSecrets"]
    assert "robot" == pod.spec["serviceAccountName"]
    for name in ("nodeSelector", "tolerations", "affinity"):
        assert values[name] == pod.spec[name]
    assert {"runAsUser": 4242} == pod.spec["securityContext"]
    assert {"runAsNonRoot": True} == pod.container["securityContext"]


def test_without_a_service_account_none_is_named() -> None:
    rendered = render()

    assert "serviceAccountName" not in rendered.pod().spec
    assert {} == rendered.all("ServiceAccount")
    assert {"type": "Recreate"} == rendered.one("Deployment")["spec"]["strategy"]


@pytest.mark.parametrize(
    ("given", "comes"),
    [
        (
            {"limits": {"memory": "300Mi", "cpu": "100m"}},
            {"requests": {"memory": "300Mi", "cpu": "100m"}, "limits": {"memory": "300Mi", "cpu": "100m"}},
        ),
        (
            {"limits": {"memory": "2Gi"}},
            {"requests": {"memory": "384Mi", "cpu": "200m"}, "limits": {"memory": "2Gi"}},
        ),
        (
            {"requests": {"cpu": 1}},
            {"requests": {"memory": "384Mi", "cpu": 1}, "limits": {"memory": "1Gi"}},
        ),
    ],
)
def test_limits_below_our_requests_lower_them(given: dict[str, Any], comes: dict[str, Any]) -> None:
    """Whoever set only limits had requests below them; a pod with requests above its limits is refused."""
    assert comes == render({"resources": given}).pod().container["resources"]


@pytest.mark.parametrize(
    ("memory", "small"),
    [("256Mi", True), ("128Mi", True), ("268435456", True), ("0.25Gi", True), ("257Mi", False), ("1G", False)],
)
def test_little_memory_asks_for_the_small_profile(memory: str, small: bool) -> None:
    env = render({"resources": {"limits": {"memory": memory}}}).pod().env

    assert ("small" if small else None) == env.get("LONGSHORE_PROFILE")


def test_empty_parts_of_a_values_file_do_no_harm() -> None:
    """`env.secret:` with nothing behind it is null to YAML."""
    nothing = dict.fromkeys(
        ("extraLabels", "podAnnotations", "nodeSelector", "tolerations", "affinity", "extraVolumes")
    )

    assert render({**nothing, "podSecurityContext": None, "resources": None, "controlThePayloadConfig": None}).pod()
