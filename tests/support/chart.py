"""The Helm chart rendered, and its manifests looked at."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.go_programs import HELM, path_of

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "longshore"
RELEASE = "my"
COMMON: Mapping[str, Any] = {"env": {"secret": {"PORT_CLIENT_SECRET": "client-secret"}}}
"""What everybody gives. Without it fingerprints are made by scrypt, which is most of the time of a rendering."""

Manifest = dict[str, Any]


class NotRendered(Exception):
    """helm refused the values; the text is what it said."""


def run_helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Helm's answer."""
    program = path_of(HELM)
    with tempfile.TemporaryDirectory() as home:
        # Nothing of whoever runs the tests: no plugins, no cluster.
        environ = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": "/dev/null"}
        return subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, timeout=120)


def render(
    values: Mapping[str, Any] | None = None,
    *arguments: str,
    release: str = RELEASE,
    defaults: Mapping[str, Any] = COMMON,
) -> Rendered:
    """The chart with `values` as a user's values.yaml over `defaults`, and further arguments of `helm template`.

    Raises `NotRendered` with helm's words.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, content in (("defaults", defaults), ("values", values or {})):
            # JSON is YAML too, and leaves no doubt about what is text.
            (file := Path(folder) / name).write_text(json.dumps(dict(content)))
            files += ["--values", str(file)]
        done = run_helm("template", release, str(CHART), "--namespace", "space", *files, *arguments)
    if done.returncode:
        raise NotRendered(done.stderr)
    return Rendered([document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document])


class Rendered:
    """The manifests of one rendering."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.manifests = manifests

    def all(self, kind: str) -> dict[str, Manifest]:
        """Those of a kind, by name."""
        found = [manifest for manifest in self.manifests if manifest["kind"] == kind]
        by_name = {manifest["metadata"]["name"]: manifest for manifest in found}
        assert len(by_name) == len(found), f"two of kind {kind} have one name"
        return by_name

    def one(self, kind: str, name: str = "") -> Manifest:
        """The only one of a kind, or the one called `name`."""
        found = self.all(kind)
        if name:
            return found[name]
        assert len(found) == 1, f"{kind}: {sorted(found)}"
        return next(iter(found.values()))

    def secret(self, name: str) -> dict[str, str]:
        """What a Secret holds, decoded."""
        data = self.one("Secret", name)["data"] or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def pod(self, name: str = f"{RELEASE}-longshore") -> Pod:
        """The pod of a Deployment."""
        return Pod(self.one("Deployment", name), self)


class Pod:
    """The pod template of a Deployment, and what the agent's container gets."""

    def __init__(self, deployment: Manifest, rendered: Rendered) -> None:
        self.metadata: Manifest = deployment["spec"]["template"]["metadata"]
        self.spec: Manifest = deployment["spec"]["template"]["spec"]
        self.container, *self.sidecars = self.spec["containers"]
        self._rendered = rendered

    @property
    def env(self) -> dict[str, str]:
        """Its variables with their values, those of Secrets looked up; each is given once."""
        entries = self.container["env"]
        names = [entry["name"] for entry in entries]
        assert len(names) == len(set(names)), f"a variable is given twice: {names}"
        return {entry["name"]: self._value(entry) for entry in entries}

    def source(self, name: str) -> tuple[str, str] | None:
        """Name and key of the Secret a variable comes from; None: it stands in the manifest."""
        (entry,) = [entry for entry in self.container["env"] if entry["name"] == name]
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        return (reference["name"], reference["key"]) if reference else None

    def mount(self, path: str) -> tuple[Manifest, Manifest]:
        """What is mounted at `path`, and the volume it comes from."""
        (mount,) = [mount for mount in self.container["volumeMounts"] if mount["mountPath"] == path]
        (volume,) = [volume for volume in self.spec["volumes"] if volume["name"] == mount["name"]]
        return mount, volume

    @property
    def mounts(self) -> set[str]:
        """The paths at which something is mounted; each once, as Kubernetes wants it."""
        paths = [mount["mountPath"] for mount in self.container["volumeMounts"]]
        assert len(paths) == len(set(paths)), f"two mounts at one path: {paths}"
        return set(paths)

    def _value(self, entry: Manifest) -> str:
        if "value" in entry:
            assert isinstance(entry["value"], str), f"{entry['name']} is not a text"
            return entry["value"]
        reference = entry["valueFrom"].get("secretKeyRef")
        if reference is None:
            return f"({entry['valueFrom']})"
        if reference["name"] not in self._rendered.all("Secret"):
            return f"(Secret {reference['name']}, key {reference['key']})"
        return self._rendered.secret(reference["name"])[reference["key"]]
