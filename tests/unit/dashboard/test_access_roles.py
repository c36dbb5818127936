"""Who may look and who may act, by two lists."""

import pytest

from longshore.dashboard.access_roles import AccessRole, AccessRoles, User

OPERATOR, VIEWER = AccessRole.OPERATOR, AccessRole.VIEWER


def role(operators: str, viewers: str, name: str, *groups: str) -> AccessRole | None:
    user = AccessRoles.parse(operators, viewers).find_user(name, groups)
    return user.role if user else None


@pytest.mark.parametrize(
    ("operators", "viewers", "ann", "somebody_else"),
    [
        ("", "", OPERATOR, OPERATOR),
        (" , ", "", OPERATOR, OPERATOR),
        ("ann", "", OPERATOR, VIEWER),
        ("", "ann", VIEWER, OPERATOR),
        ("ann", "bob", OPERATOR, None),
        ("bob", "ann", VIEWER, None),
        ("bob, ann", "ann", OPERATOR, None),
    ],
)
def test_an_empty_list_is_everybody_who_is_not_in_the_other(
    operators: str, viewers: str, ann: AccessRole, somebody_else: AccessRole | None
) -> None:
    """With both, who is in neither does not get in."""
    assert (ann, somebody_else) == (role(operators, viewers, "ann"), role(operators, viewers, "eve"))


def test_groups_count_by_their_prefix_alone() -> None:
    """Nobody becomes an operator by a user name or a group that looks like the other."""
    assert OPERATOR is role("group:sre", "", "ann@acme.io", "sre")
    assert VIEWER is role("group:sre", "", "sre", "group:sre", "sre2")
    assert VIEWER is role("ann", "", "eve", "ann")


def test_case_does_not_matter_and_the_name_stays_as_it_is() -> None:
    """Providers write addresses in their own way."""
    user = AccessRoles.parse("Ann@Acme.io", "group:Staff").find_user("aNN@acme.IO")

    assert User("aNN@acme.IO", OPERATOR) == user
    assert VIEWER is role("x", "group:Staff", "bob", "STAFF")


def test_of_many_groups_those_that_matter_are_known() -> None:
    """The others need not be kept in a cookie, which has 4 kB."""
    roles = AccessRoles.parse("group:sre", "group:Staff,eve")

    assert ["sre", "staff"] == roles.known_groups(["sre", "a", "staff", "eve"])
