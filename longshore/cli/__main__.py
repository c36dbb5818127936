"""Where the `longshore` command begins; also `python -P -m longshore.cli`, with which our programs start each other."""

import sys

from longshore.cli import unused_extras

INTERRUPTED = 130
"""128 + SIGINT, as shells say it."""


def start() -> None:
    """Run the command line; never returns. Ctrl-C while it is still being loaded ends it without a traceback."""
    unused_extras.hide()
    try:
        from longshore.cli.main import main
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    main()


if __name__ == "__main__":
    start()
