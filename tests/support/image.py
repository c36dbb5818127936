"""The file system of the image, built from the Dockerfile by buildah on a bare Debian root, without a Docker engine.

The base image cannot be fetched everywhere, so the Dockerfile's BASE is a fresh Debian 12 with its own Python, which
mmdebstrap makes. Each instruction is carried out as a container engine would. What comes out is kept in `.cache/image`
of the repository until a file that goes into the image changes.
"""

import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "image"
SOURCES = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "scripts/sbom.py")
FOLDERS = ("requirements", "longshore", "ingest", "tasks", "config")
NEEDED = ("buildah", "mmdebstrap", "unshare")
"""Debian packages buildah, mmdebstrap and util-linux."""
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
BASE_NAME = "localhost/base"
BUILD_TIMEOUT_S = 1800
"""It takes two to five minutes, most of it waiting for packages."""


class BuildFailed(Exception):
    """A step of the build failed; names it and the end of its output."""


@dataclass(frozen=True)
class Image:
    """The root of the built file system, and how the Dockerfile says it is run (Docker's `config` object)."""

    root: Path
    config: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that every process starts with."""
        return dict(each.split("=", 1) for each in self.config["Env"])


def missing() -> list[str]:
    """What is not there of what building and running the image takes."""
    lacking = [program for program in NEEDED if shutil.which(program) is None]
    return lacking if os.geteuid() == 0 else ["root", *lacking]


def image() -> Image:
    """The image of the sources as they are, built if it is not there yet; raises `BuildFailed`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        folder = CACHE / _key()
        if not folder.is_dir():
            for old in CACHE.glob("built-*"):
                shutil.rmtree(old)
            # Built beside and renamed: half an image is never taken for a whole one.
            with tempfile.TemporaryDirectory(prefix="unfinished-", dir=CACHE) as unfinished:
                _build(Path(unfinished))
                (Path(unfinished) / "image").rename(folder)
        return Image(folder / "root", json.loads((folder / "config.json").read_text()))


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time, whichever of several test processes comes first."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _key() -> str:
    """Another name for each content of the sources."""
    content = hashlib.sha256(BASE_PACKAGES.encode())
    files = [REPOSITORY / name for name in SOURCES]
    for folder in FOLDERS:
        files += sorted(each for each in (REPOSITORY / folder).rglob("*") if "__pycache__" not in each.parts)
    for each in files:
        if each.is_file():
            content.update(str(each.relative_to(REPOSITORY)).encode() + b"\0" + each.read_bytes() + b"\0")
    return f"built-{content.hexdigest()[:16]}"


def _build(folder: Path) -> None:
    storage = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def buildah(*words: str) -> str:
        return _run(["buildah", *storage, *words], folder)

    base = buildah("from", "scratch").strip()
    buildah("add", "--quiet", base, str(_base(folder)), "/")
    buildah("config", "--env", "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", base)
    buildah("commit", "--quiet", "--rm", base, BASE_NAME)
    # Neither a registry nor the machine's Docker settings have a say.
    options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--build-arg", f"BASE={BASE_NAME}"]
    buildah("build", *options, *_machine(folder), "--tag", "localhost/longshore", str(REPOSITORY))
    container = buildah("from", "--pull-never", "localhost/longshore").strip()
    (folder / "image").mkdir()
    _run(["cp", "-a", buildah("mount", container).strip(), str(folder / "image" / "root")], folder)
    told = json.loads(buildah("inspect", "--type", "image", "localhost/longshore"))
    (folder / "image" / "config.json").write_text(json.dumps(told["Docker"]["config"], indent=1))


def _base(folder: Path) -> Path:
    """A Debian 12 with Python, called `python` as in the image it stands for, and with a pip such as that one has."""
    kept = CACHE / f"base-{hashlib.sha256(BASE_PACKAGES.encode()).hexdigest()[:8]}.tar"
    if not kept.is_file():
        made = folder / "base.tar"
        hooks = [
            'ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
            'mkdir -p "$1/usr/local/lib/python3.11/site-packages/pip" "$1/usr/local/lib/python3.11/ensurepip"',
            'touch "$1/usr/local/bin/pip3"',
        ]
        words = ["mmdebstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "--dpkgopt=force-unsafe-io"]
        _run([*words, *(f"--customize-hook={hook}" for hook in hooks), "bookworm", str(made)], folder)
        made.rename(kept)
    return kept


def _machine(folder: Path) -> list[str]:
    """This machine's way to packages (index, proxies, certificates), lent to the build without becoming part of it."""
    options = []
    told = {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    told.pop("find-links", None)  # a folder that is not in there
    told.pop("cert", None)
    settings = "".join(f"{name} = {value}\n" for name, value in told.items())
    certificates = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
    if certificates:
        settings += "cert = /etc/machine-certificates.crt\n"
        options += ["--volume", f"{certificates}:/etc/machine-certificates.crt:ro"]
    (folder / "pip.conf").write_text(f"[global]\n{settings}")
    options += ["--volume", f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        if name in os.environ:
            options += ["--build-arg", f"{name}={os.environ[name]}"]
    return options


def _run(words: list[str], folder: Path) -> str:
    """Run a step to its end and return what it printed; raises `BuildFailed`."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False, cwd=folder)
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        raise BuildFailed(f"{words[0]} ... {words[-1]} ended with {done.returncode}:\n{said}")
    return done.stdout
