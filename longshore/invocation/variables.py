"""Which variables of the environment a jq expression reads: `env.NAME`, `$ENV["NAME"]`, `env | .NAME`.

And whether their values look as if something was pasted along, which a target would be sent.
"""

import re
from dataclasses import dataclass

_VARIABLE_READ = re.compile(
    r"""(?<![\w.$"])(?:env|\$ENV)\b(?!\s*:)"""
    r"""(?:\s*(?:\|\s*)?(?:\.\s*(?P<bare>[A-Za-z_]\w*)|\.\s*"(?P<quoted>[^"\\]*)"|\.?\s*\[\s*"(?P<key>[^"\\]*)"\s*\]))?"""
)

_ALTERNATIVE = re.compile(r"[\s)?]*//")

_QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class Variables:
    """The names that expressions read, and whether they compute others, as in `env[.name]`.

    `required` are those that no `//` gives another value for.
    """

    names: frozenset[str] = frozenset()
    computed: bool = False
    required: frozenset[str] = frozenset()


def variables_of(*expressions: str) -> Variables:
    """What these expressions read of the environment."""
    matches = [match for source in expressions for match in _VARIABLE_READ.finditer(source)]
    names = [_variable_name(match) for match in matches]
    required = (_variable_name(match) for match in matches if not _ALTERNATIVE.match(match.string, match.end()))
    return Variables(frozenset(filter(None, names)), None in names or "" in names, frozenset(filter(None, required)))


def _variable_name(match: re.Match[str]) -> str | None:
    return match["bare"] or match["quoted"] or match["key"]


def find_paste_problem(value: str) -> str | None:
    """What came along with a value, in words that follow its name."""
    if value != value.strip():
        return "begins or ends with white space, such as a newline. It is taken as it is"
    if len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1]:
        return "is in quotes, which are a part of the value: `docker run --env-file` takes none off. Leave them out"
    if not value.isprintable():
        return "holds a character that cannot be seen, such as a line break or a byte order mark. It is taken as it is"
    return None
