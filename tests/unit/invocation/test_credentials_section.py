"""The section `credentials` is taken as it stands, or what is wrong in it is said."""

import json
from typing import Any

import pytest

from longshore.invocation.credentials_section import (
    BasicOptions,
    BearerOptions,
    CredentialOptions,
    OAuth2Options,
    read_credentials,
)
from longshore.invocation.mapping import Mapping
from longshore.invocation.section_values import InvalidValue

OAUTH2 = {"token_url": "https://idp/token", "client_id": "agent", "client_secret_file": "/s/client"}


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ({"oauth2": OAUTH2}, OAuth2Options("https://idp/token", "agent", "/s/client")),
        (
            {"oauth2": OAUTH2 | {"scope": "a b", "audience": "x", "auth": "body", "params": {"resource": "r"}}},
            OAuth2Options("https://idp/token", "agent", "/s/client", "a b", "x", "body", (("resource", "r"),)),
        ),
        ({"bearer_file": "/s/token"}, BearerOptions("/s/token", "Authorization", "Bearer ")),
        ({"bearer_file": "/s/token", "prefix": "Token "}, BearerOptions("/s/token", "Authorization", "Token ")),
        ({"bearer_file": "/s/key", "header": "X-Api-Key"}, BearerOptions("/s/key", "X-Api-Key", "")),
        ({"basic": {"username": "u", "password_file": "/s/p"}}, BasicOptions("u", "/s/p")),
    ],
)
def test_each_kind_is_taken(section: Any, options: CredentialOptions) -> None:
    """An API key has no prefix unless one is given, a bearer token has the one of RFC 6750."""
    assert options == read_credentials(section)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({}, "has none of oauth2, bearer_file, basic"),
        ({"bearer_file": "/t", "basic": {"username": "u", "password_file": "/p"}}, "bearer_file and basic: give one"),
        ({"oauth": OAUTH2}, "has the unknown key 'oauth'; did you mean 'oauth2'?"),
        ({"oauth2": OAUTH2 | {"client_secret": "s3cret"}}, "did you mean 'client_secret_file'?"),
        ({"oauth2": {"client_id": "agent"}}, "lacks token_url, client_secret_file"),
        ({"oauth2": OAUTH2 | {"token_url": "idp/token"}}, "token_url is no URL"),
        ({"oauth2": OAUTH2 | {"token_url": "https://u:p@idp/token"}}, "holds a user name or a password"),
        ({"oauth2": OAUTH2 | {"auth": "header"}}, "neither 'basic'"),
        ({"oauth2": OAUTH2 | {"params": {"scope": "a"}}}, "params has scope, which the other keys set"),
        ({"oauth2": OAUTH2, "header": "X-Token"}, "has header, which only bearer_file takes"),
        ({"bearer_file": "/t", "header": "Host"}, "is no name of a header for a credential"),
        ({"bearer_file": "/t", "prefix": "a\nb"}, "holds what no header can"),
        ({"basic": {"username": "a:b", "password_file": "/p"}}, "username holds a colon"),
    ],
)
def test_what_is_wrong_is_said(section: Any, problem: str) -> None:
    """With the key that was probably meant; no value of a secret is quoted."""
    with pytest.raises(InvalidValue) as error:
        read_credentials(section)

    assert problem in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_header_of_the_mapping_that_makes_its_credentials_useless_is_warned_of() -> None:
    """In any case of letters; whoever wrote both meant one of them."""
    entry = {"headers": {"authorization": '"Bearer x"'}, "delivery": {"credentials": {"bearer_file": "/s/token"}}}
    mapping = Mapping(json.dumps([entry, {"delivery": entry["delivery"]}]).encode(), {})
    mapping.close()

    assert ["mapping 0: sets the header Authorization itself"] == [text.split(",")[0] for text in mapping.warnings]
