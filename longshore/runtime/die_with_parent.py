"""Become another program that dies when its parent dies, even of `kill -9`.

Run as a script: `python -I -S die_with_parent.py <parent's pid> <program> [arguments]`. The kernel
keeps the wish across exec. Doing it here, in the child's own start, avoids a `preexec_fn`, which may deadlock in a
process with threads; a pipe watched by each child would need their cooperation, and Redis gives none.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask for the signal; ends at once if `parent` is gone already."""
    # SIGKILL, as nobody is left who would wait for an orderly end. All of our programs may be killed at any time.
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:
        sys.exit("the parent died before its child had started")


def main(parent: int, argv: list[str]) -> None:
    """Ask for the signal, then become `argv`."""
    die_with(parent)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
