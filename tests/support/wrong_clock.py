"""The launcher of a program whose clock is wrong: what it asks Python for the time; it still counts seconds rightly.

    python -P wrong_clock.py SECONDS ROLE

libfaketime would make Python's sleeps fail.
"""

from __future__ import annotations

import importlib
import sys
import time


def main() -> None:
    """Become the program; never returns."""
    offset_s, *command = sys.argv[1:]
    right, right_ns, offset_ns = time.time, time.time_ns, int(offset_s) * 10**9
    time.time = lambda: right() + offset_ns / 1e9
    time.time_ns = lambda: right_ns() + offset_ns
    sys.argv = ["longshore", *command]
    importlib.import_module("longshore.cli.__main__").start()


if __name__ == "__main__":
    main()
