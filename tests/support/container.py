"""Processes in the image's file system as a strict container engine runs them, without any engine.

The root is read-only, /tmp/port-agent is the only place that can be written to (/dev/shm, which engines add, is not
there), the user has no passwd entry, all capabilities are gone and none can be gained, and the process ids are its own:
the entrypoint is PID 1. The network is the machine's, so that tests can be its surroundings.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.support.image import Image
from tests.support.programs import PATIENCE_S, eventually

WRITABLE = "tmp/port-agent"
UID = 12345
DEVICES = ("null", "zero", "full", "random", "urandom")

SET_UP = """
set -e
mount --make-rprivate /
# An upper layer takes the places where files are mounted, as with any engine; the image itself is never changed.
mount -t tmpfs tmpfs "$PLACE"
mkdir "$PLACE/upper" "$PLACE/work" "$PLACE/root"
mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
cd "$PLACE/root"
mount -t tmpfs tmpfs dev
for each in {devices}; do touch "dev/$each"; mount --bind "/dev/$each" "dev/$each"; done
mount -o remount,ro dev
mount -t proc -o ro proc proc
for each in resolv.conf hosts; do
  test ! -e "/etc/$each" || {{ touch "etc/$each"; mount --bind "/etc/$each" "etc/$each"; }}
done
{files}
mount --bind "$DATA" {writable}
mount -o remount,ro,bind "$PLACE/root"
exec env -i {environment} chroot . env -C {workdir} \
  setpriv --reuid {uid} --regid {uid} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- {words}
"""


class Container:
    """One process tree; `folder` is given to it: its writable place is `folder/data`, its output `folder/output`.

    `files` are mounted read-only: path in the container (absolute) to file here. Without `words` the image's own
    command runs, with them that replaces it, as after `docker run IMAGE`; with `entrypoint` "" they are the command
    as it stands.
    """

    def __init__(
        self,
        image: Image,
        folder: Path,
        *words: str,
        files: Mapping[str, Path] | None = None,
        entrypoint: bool = True,
        **environ: str,
    ) -> None:
        self.data, self.output_path = folder / "data", folder / "output"
        self.data.mkdir()
        self.data.chmod(0o777)
        (folder / "place").mkdir()
        entry = list(image.config["Entrypoint"]) if entrypoint else []
        command = [*entry, *(words or image.config["Cmd"])]
        script = SET_UP.format(
            devices=" ".join(DEVICES),
            files="\n".join(_mount(*each) for each in (files or {}).items()),
            writable=WRITABLE,
            environment=shlex.join(f"{name}={value}" for name, value in (image.environment | environ).items()),
            workdir=image.config["WorkingDir"],
            uid=UID,
            words=shlex.join(command),
        )
        ours = {"ROOT": str(image.root), "PLACE": str(folder / "place"), "DATA": str(self.data)}
        with self.output_path.open("wb") as output:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
                env={"PATH": os.environ["PATH"], **ours},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        """What it has printed so far, on either stream."""
        return self.output_path.read_text()

    def says(self, text: str) -> None:
        """Wait until its output holds `text`."""
        eventually(lambda: text in self.output() or self.process.poll() is not None, f"{text!r} in the output")
        assert text in self.output(), f"it ended with code {self.process.poll()}:\n{self.output()}"

    def ends(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for its end; returns the exit code."""
        return self.process.wait(patience_s)

    def stop(self) -> int:
        """Send SIGTERM to PID 1, as engines do, and wait; returns the exit code."""
        (first,) = psutil.Process(self.process.pid).children()
        first.send_signal(signal.SIGTERM)
        return self.ends(60)

    def close(self) -> None:
        """Make sure that nothing is left of it."""
        if self.process.poll() is None:
            self.process.kill()  # unshare takes PID 1 along, and the kernel everything else in there
            self.process.wait()


def _mount(path: str, source: Path) -> str:
    place, parent = shlex.quote(path.lstrip("/")), shlex.quote(str(Path(path).parent).lstrip("/"))
    words = f"mkdir -p {parent}; touch {place}; mount --bind {shlex.quote(str(source))} {place}"
    return f"{words}; mount -o remount,ro,bind {place}"
