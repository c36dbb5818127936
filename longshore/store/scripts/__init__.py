"""The Lua scripts, assembled and registered. A script's header names what it uses: `-- uses: common, claim`."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

from longshore.store.states import lua_table

USES = re.compile(r"^-- uses: (.+)$", re.MULTILINE)

NAMES = (
    "accept",
    "pump",
    "begin",
    "finish",
    "give_back",
    "defer",
    "beat",
    "prune",
    "purge",
    "requeue",
    "run_job",
    "set_gate",
    "take_reports",
    "renew_reports",
    "settle_reports",
    "unfinished",
    "sift",
    "audit",
)


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script, and the digest under which Redis remembers it."""

    text: str
    sha: str

    @classmethod
    def named(cls, name: str) -> "Script":
        """The script `name`."""
        body = assemble(name)
        return cls(body, hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest())


def text(name: str) -> str:
    """The source file `name`.lua."""
    return files(__package__).joinpath(f"{name}.lua").read_text("utf-8")


def assemble(name: str) -> str:
    """The whole script `name`: the table of moves, what its header says it uses, itself."""
    body = text(name)
    uses = USES.search(body)
    parts = [lua_table()] + [text(part.strip()) for part in (uses[1].split(",") if uses else ())]
    return "\n".join([*parts, body])
