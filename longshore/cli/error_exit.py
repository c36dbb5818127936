"""What errors become on their way out of a command or program: a sentence on standard error, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from longshore.cli import terminal
from longshore.cli.exit_codes import FAILED
from longshore.errors import EX_CONFIG, ConfigError, ConfigProblems, LongshoreError


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Ends the process at an error of ours that is raised in the context: with 78 for wrong settings, else with 1."""
    try:
        yield
    except (ConfigError, ConfigProblems) as error:
        terminal.say(str(error))
        sys.exit(EX_CONFIG)
    except LongshoreError as error:
        terminal.say(f"longshore: {error}")
        sys.exit(FAILED)
