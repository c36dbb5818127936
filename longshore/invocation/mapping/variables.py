"""Which variables of the environment a jq expression reads: `env.NAME`, `$ENV["NAME"]`, `env | .NAME`."""

import re
from dataclasses import dataclass

_READ = re.compile(
    r"""(?<![\w.$"])(?:env|\$ENV)\b(?!\s*:)"""
    r"""(?:\s*(?:\|\s*)?(?:\.\s*(?P<bare>[A-Za-z_]\w*)|\.\s*"(?P<quoted>[^"\\]*)"|\.?\s*\[\s*"(?P<key>[^"\\]*)"\s*\]))?"""
)


@dataclass(frozen=True, slots=True)
class Variables:
    """The names that expressions read, and whether they compute others, as in `env[.name]`."""

    names: frozenset[str] = frozenset()
    computed: bool = False


def variables_of(*expressions: str) -> Variables:
    """What these expressions read of the environment."""
    found = [match for source in expressions for match in _READ.finditer(source)]
    names = [match["bare"] or match["quoted"] or match["key"] for match in found]
    return Variables(frozenset(filter(None, names)), None in names or "" in names)
