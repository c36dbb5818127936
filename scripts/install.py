"""Install the locked dependencies and Longshore itself, telling how far it is.

Run by `make setup` with the Python of the virtual environment. pip alone would say either nothing for a minute or more
on a slow line, or two hundred lines. What it complains of is shown as it comes.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements" / "dev.txt"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
SAY_EVERY_S = 3.0
INTERRUPTED = 130


def main() -> int:
    """Install all; return the exit code."""
    try:
        code = _install_locked()
        if code:
            hint = "Without a direct way to a package index, set PIP_INDEX_URL or HTTPS_PROXY."
            print(f"\nThe packages could not be installed; pip says above why. {hint}", file=sys.stderr)
            return code
        print("Installing Longshore ...", flush=True)
        ours = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(LOCK.parent.parent)]
        return subprocess.run([*PIP, *ours], check=False).returncode
    except KeyboardInterrupt:
        return INTERRUPTED  # pip was told as well, by the same terminal


def _install_locked() -> int:
    """Install what the lock names, hashes checked; return pip's exit code."""
    wanted = sum("==" in line.split(";")[0] for line in LOCK.read_text().splitlines())
    print("Installing the packages of requirements/dev.txt, which takes about half a minute ...", flush=True)
    options = ["--progress-bar", "off", "--require-hashes", "--only-binary", ":all:", "--requirement", str(LOCK)]
    found = 0
    spoken_at = time.monotonic()
    with subprocess.Popen([*PIP, *options], stdout=subprocess.PIPE, text=True, errors="replace") as pip:
        for line in pip.stdout or ():
            if line.startswith("Ignoring "):
                wanted -= 1  # not for this Python or platform
            elif name := re.match(r"(?:Collecting|Requirement already satisfied:) (\S+)", line):
                found += 1
                if time.monotonic() >= spoken_at + SAY_EVERY_S:
                    spoken_at = time.monotonic()
                    print(f"  {found} of {wanted}: {name[1]}", flush=True)
            elif line.startswith("Installing collected packages"):
                print("  all are there; unpacking ...", flush=True)
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main())
