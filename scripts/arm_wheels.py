"""Ask the package index whether all that is pinned can be installed on ARM (aarch64), with the hashes as they stand.

pip resolves them for each supported Python as a machine with an ARM processor would, wheels only, and refuses
what has no such wheel, or one with another hash. Which wheels these are is written to requirements/arm.txt, which tests
compare with the pins.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
FILES = ("dev.txt", "redis.txt")
"""The first has all that the others pin as well."""
PYTHONS = ("3.11.9", "3.12.9", "3.13.9")
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64")


def main() -> int:
    """Write requirements/arm.txt; return the exit code."""
    wheels: set[str] = set()
    for file in FILES:
        # The one file that is wanted of that wheel does not depend on Python.
        for python in PYTHONS if file != "redis.txt" else PYTHONS[:1]:
            if (report := _resolve(file, python)) is None:
                print(f"{file} cannot be installed with Python {python} on ARM.", file=sys.stderr)
                return 1
            for package in report["install"]:
                source = package["download_info"]
                wheels.add(f"{source['url'].rpartition('/')[2]} {source['archive_info']['hashes']['sha256']}\n")
    head = (
        "# Made by 'make lock-arm'; do not edit. The wheels that an ARM machine (aarch64) installs, and their hashes.\n"
    )
    (REQUIREMENTS / "arm.txt").write_text(head + "".join(sorted(wheels)), encoding="utf-8")
    return 0


def _resolve(file: str, python: str) -> dict[str, Any] | None:
    """The report of pip on what it would install; None where it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["-q", "--dry-run", "--ignore-installed", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        machine = [f"--python-version={python}", "--implementation=cp", *(f"--platform={one}" for one in PLATFORMS)]
        wanted = [f"--target={folder}", f"--report={report}", f"--requirement={REQUIREMENTS / file}"]
        command = [sys.executable, "-m", "pip", "install", *options, *machine, *wanted]
        if subprocess.run(command, check=False).returncode:
            return None
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found


if __name__ == "__main__":
    sys.exit(main())
