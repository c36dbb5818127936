"""Who may look and who may act: logins, e-mail addresses and groups of FLOWER_OPERATORS and FLOWER_VIEWERS."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

GROUP = "group:"
"""Begins an entry that names a group of the login provider; any other is the name of one user."""


class AccessRole(StrEnum):
    """What a user may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class User:
    """Who is logged in."""

    name: str
    role: AccessRole

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AccessRoles:
    """The two lists. Case does not matter in them."""

    operators: frozenset[str]
    viewers: frozenset[str]

    @classmethod
    def parse(cls, operators: str, viewers: str) -> "AccessRoles":
        """The roles by two comma lists."""
        return cls(_parse_list(operators), _parse_list(viewers))

    def find_user(self, name: str, groups: Iterable[str] = ()) -> User | None:
        """`name` with the role it has by itself or by one of its `groups`; None where it may not even look.

        Who is in both lists is an operator. One empty list is everybody who is not in the other; with both empty,
        everybody is an operator.
        """
        entries = {name.casefold(), *(f"{GROUP}{group}".casefold() for group in groups)}
        if entries & self.operators:
            return User(name, AccessRole.OPERATOR)
        if entries & self.viewers:
            return User(name, AccessRole.VIEWER)
        if self.operators and self.viewers:
            return None
        return User(name, AccessRole.VIEWER if self.operators else AccessRole.OPERATOR)

    def known_groups(self, groups: Iterable[str]) -> list[str]:
        """Those of `groups` that one of the lists names."""
        return [group for group in groups if f"{GROUP}{group}".casefold() in self.operators | self.viewers]


def _parse_list(text: str) -> frozenset[str]:
    return frozenset(entry.strip().casefold() for entry in text.split(",") if entry.strip())
