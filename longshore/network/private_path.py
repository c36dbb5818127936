"""Whether others can put another file in the place of one: who owns and who may write the folders above it.

The rule of OpenSSH's StrictModes, for every folder on the way and every link in it: it belongs to root or to us, and
nobody else may rename what is in it.
"""

import os
import stat
from pathlib import Path


def create(folder: Path) -> str | None:
    """Make `folder` and those above it that are missing, unless they are exposed: then says why. Raises OSError."""
    if (problem := find_exposure(folder)) is not None:
        return problem
    for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        # One by one: `mkdir -p` leaves the mode of all but the last to the umask.
        each.mkdir(mode=0o755, exist_ok=True)
    return find_exposure(folder)


def find_exposure(folder: Path) -> str | None:
    """Why a file in `folder` could be replaced by somebody else, in words; None when it could not. Raises OSError.

    Of a folder that is not there, those above it count.
    """
    folder = folder.absolute()
    real = folder.resolve()
    for each in dict.fromkeys((*reversed(folder.parents), folder, *reversed(real.parents), real)):
        try:
            status = each.lstat()
        except FileNotFoundError:
            continue
        if status.st_uid not in (0, os.geteuid()):
            return f"{each} belongs to another user ({status.st_uid})"
        if not stat.S_ISLNK(status.st_mode) and _is_writable_by_others(each, status):
            return f"{each} may be written by others (mode {stat.S_IMODE(status.st_mode):o})"
    return None


def _is_writable_by_others(folder: Path, status: os.stat_result) -> bool:
    if status.st_mode & stat.S_ISVTX:
        return False  # as in /tmp: whoever may write there may only replace what is theirs
    if status.st_uid == 0 and os.path.ismount(folder):
        return False  # a volume of Kubernetes, open to all there are: one pod
    return bool(status.st_mode & stat.S_IWOTH) or bool(status.st_mode & stat.S_IWGRP and status.st_gid != 0)
