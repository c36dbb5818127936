"""The Lua scripts, assembled and registered. A script's header names what it uses: `-- uses: common, claim`."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import redis

from longshore.invocation.report_kinds import lua_report_kinds
from longshore.ledger.record import lua_fields
from longshore.ledger.states import lua_table

if TYPE_CHECKING:
    from redis.client import Pipeline

TABLES = lua_table() + lua_report_kinds() + lua_fields()
"""What each script begins with: the moves of states, the kinds of reports, and fields of a record, as Lua text."""

_USES = re.compile(r"^-- uses: (.+)$", re.MULTILINE)

NAMES = (
    "accept",
    "pump",
    "load",
    "begin",
    "finish",
    "release",
    "defer",
    "heartbeat",
    "prune",
    "purge",
    "requeue",
    "run_job",
    "save_job",
    "set_control",
    "lease_reports",
    "renew_reports",
    "ack_reports",
    "lease_acks",
    "settle_acks",
    "poll_room",
    "unfinished",
    "scan",
    "report_waits",
    "audit",
    "sweep",
    "touch",
    "stop_intake",
    "notify",
    "drill",
)
"""Scripts, each called by its name."""

FILES = tuple(sorted(each.name[:-4] for each in files(__package__).iterdir() if each.name.endswith(".lua")))
"""All Lua files: the scripts, and the parts that they use."""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script, and the digest under which Redis remembers it."""

    text: str
    sha: str

    @classmethod
    @cache
    def get(cls, name: str) -> "Script":
        """The script `name`."""
        body = assemble(name)
        return cls(body, hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest())

    def run(self, execute: Callable[..., Any], prefix: str, *values: Any) -> Any:
        """What it returns for the keys under `prefix`; `execute` sends a command, as a client's `execute_command` does.

        Not SCRIPT LOAD, which is refused while Redis is full.
        """
        try:
            return execute("EVALSHA", self.sha, 1, prefix, *values)
        except redis.exceptions.NoScriptError:
            return execute("EVAL", self.text, 1, prefix, *values)  # a Redis that was restarted has forgotten it

    def put(self, pipe: "Pipeline", prefix: str, *values: Any) -> None:
        """The same as a command of `pipe`. The first of a pipe carries the text, for a Redis that has forgotten it."""
        if len(pipe):
            pipe.evalsha(self.sha, 1, prefix, *values)
        else:
            pipe.eval(self.text, 1, prefix, *values)


def text(name: str) -> str:
    """The source file `name`.lua."""
    return files(__package__).joinpath(f"{name}.lua").read_text("utf-8")


def uses(name: str) -> tuple[str, ...]:
    """The parts that the header of `name` says it uses, in order."""
    header = _USES.search(text(name))
    return tuple(header[1].split(", ")) if header else ()


def assemble(name: str) -> str:
    """The whole script `name`: the tables that Python has too, what its header says it uses, itself.

    Each part is a function inside the one before: what a function takes from a finished outer one costs nothing, while
    what it takes from the one that runs, Lua looks up in a list that grows with each name taken. A part named with `()`
    is the body of a function of that name: what it makes is only made when somebody calls it.
    """
    body = text(name)
    opening, closing = [], ""
    for part in uses(name):
        function = part.removesuffix("()")
        if function != part:
            opening.append(f"local function {function}(...)\n{text(function)}\nend")
        elif part == "allow_when_full":
            opening.append(text(part))  # which only lets the others in
        else:
            opening.append(f"{text(part)}\nreturn (function()")
            closing += "end)()\n"
    return "\n".join([TABLES, *opening, body, closing])
