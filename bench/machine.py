"""The machine a result comes from."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from longshore.runtime.embedded_redis import find_program

PACKAGES = ("celery", "kombu", "redis", "hiredis", "confluent-kafka", "requests", "urllib3", "jq")
LOAD = "load before"
"""The only fact that differs between two results of one machine."""


def describe() -> dict[str, str]:
    """What belongs beside every result; taken before the first row starts."""
    loads = " ".join(f"{load:.2f}" for load in os.getloadavg())
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "redis": _first_line(find_program(), "--version"),
        "java": _first_line("java", "--version"),
        "packages": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        "commit": _first_line("git", "-C", str(Path(__file__).parent), "log", "-1", "--format=%h %cs"),
        LOAD: loads,
    }


def _cpu_model() -> str:
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    lines = {name.strip(): value.strip() for name, value in pairs}
    clock = lines.get("cpu MHz", "?").split(".")[0]
    return f"{lines.get('model name', '?')}, family {lines.get('cpu family', '?')}, {clock} MHz"


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return ""


def _first_line(*command: str) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "not here"
    return output.strip().splitlines()[0][:80] if output.strip() else "not here"
