"""Write a list of everything installed (SBOM), as CycloneDX 1.5 JSON: Python distributions and Debian packages.

Run by the Dockerfile with the Python whose packages are to be listed: `python sbom.py NAME VERSION > sbom.json`. It
reads what is there, not what some file says should be there. The same installation gives the same bytes: no time stamp,
no random serial number. Needs nothing but the standard library.
"""

import json
import platform
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from typing import Any
from urllib.parse import quote

FORMAT = "${db:Status-Abbrev}|${Package}|${Version}|${Architecture}|${source:Package}\n"


def main(name: str, version: str) -> int:
    """Print the list for the application `name`; returns the exit code."""
    found = {str(each["purl"]): each for each in (_interpreter(), *map(_python, distributions()), *_debian())}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "version": version}},
        "components": [found[purl] for purl in sorted(found)],
    }
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


def _python(distribution: Distribution) -> dict[str, Any]:
    """One installed Python package."""
    name = distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
    purl = f"pkg:pypi/{name}@{quote(distribution.version)}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": distribution.version,
        "purl": purl,
    }
    # Older packages put a whole text, or nothing, where the expression is now.
    if expression := distribution.metadata["License-Expression"]:
        component["licenses"] = [{"expression": expression}]
    return component


def _interpreter() -> dict[str, Any]:
    version = platform.python_version()
    purl = f"pkg:generic/cpython@{version}"
    return {"type": "platform", "bom-ref": purl, "name": "cpython", "version": version, "purl": purl}


def _debian() -> list[dict[str, Any]]:
    """The installed Debian packages, none where there is no dpkg."""
    if shutil.which("dpkg-query") is None:
        return []
    told = subprocess.run(["dpkg-query", "-W", f"-f={FORMAT}"], capture_output=True, text=True, check=True).stdout
    components = []
    for line in told.splitlines():
        state, name, version, architecture, source = line.split("|")
        if state.startswith("ii"):
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
            properties = [{"name": "debian:source", "value": source}]
            component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
            components.append({**component, "properties": properties})
    return components


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
