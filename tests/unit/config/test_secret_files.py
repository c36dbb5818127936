"""Secrets that come by file."""

from pathlib import Path

import pytest

from config.environment import find_advice
from config.roles import Role
from config.secret_files import BY_FILE, FILE_NAMES, FLOWER_LOGIN, MAX_BYTES, read_secret, read_secret_files
from config.setting_fields import SECRETS
from config.settings import Settings, load
from longshore.errors import ConfigError, ConfigProblems

NEEDED = {"PORT_ORG_ID": "org", "PORT_CLIENT_ID": "client", "KAFKA_CONSUMER_GROUP_ID": "org.agent"}


def held(folder: Path, content: bytes) -> str:
    """The path of a file with this content."""
    path = folder / "held"
    path.write_bytes(content)
    return str(path)


def test_every_secret_setting_may_come_by_file() -> None:
    """Also one that is added later."""
    assert {name.upper() for name in SECRETS} <= BY_FILE
    assert {name.lower() for name in BY_FILE} <= set(Settings.model_fields)


@pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n", b"\xef\xbb\xbfs3cret\r\n"])
def test_what_editors_add_is_no_part_of_it(tmp_path: Path, content: bytes) -> None:
    """It would change every signature."""
    loaded = load(NEEDED | {"PORT_CLIENT_SECRET_FILE": held(tmp_path, content)})

    assert "s3cret" == loaded.port_client_secret
    assert ("s3cret",) == loaded.secrets_to_mask


def test_white_space_inside_and_around_counts(tmp_path: Path) -> None:
    """Somebody's password may begin with it."""
    assert " a b\tc " == read_secret({"REDIS_URL_FILE": held(tmp_path, b" a b\tc \n")}, "REDIS_URL")


def test_the_value_stays_out_of_the_environment(tmp_path: Path) -> None:
    """That is what the file is for: neither mappings nor children see it."""
    environ = NEEDED | {"PORT_CLIENT_SECRET_FILE": held(tmp_path, b"s3cret")}
    loaded = load(environ)

    assert "PORT_CLIENT_SECRET" not in environ
    assert "s3cret" not in loaded.mapping_env().values()


def test_a_variable_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    """Nobody could tell which one counts."""
    environ = NEEDED | {"PORT_CLIENT_SECRET": "one", "PORT_CLIENT_SECRET_FILE": held(tmp_path, b"other")}

    with pytest.raises(ConfigProblems, match="PORT_CLIENT_SECRET_FILE: is set, and so is PORT_CLIENT_SECRET"):
        load(environ)


def test_empty_is_not_set(tmp_path: Path) -> None:
    """`NAME: ${NAME:-}` of a compose file."""
    assert "one" == load(NEEDED | {"PORT_CLIENT_SECRET": "one", "PORT_CLIENT_SECRET_FILE": ""}).port_client_secret
    environ = NEEDED | {"PORT_CLIENT_SECRET": "", "PORT_CLIENT_SECRET_FILE": held(tmp_path, b"two")}
    assert "two" == load(environ).port_client_secret


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (MAX_BYTES + 1), "too large"),
    ],
)
def test_a_file_that_cannot_be_it_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """All problems in one message, without what the file holds."""
    path = str(tmp_path / "none") if content is None else held(tmp_path, content)

    with pytest.raises(ConfigProblems) as raised:
        load(NEEDED | {"REDIS_URL_FILE": path, "PORT_CLIENT_SECRET": "s3cret", "LEASE_S": "x"}, Role.WORKER)

    assert f'REDIS_URL_FILE: "{path}"' in str(raised.value)
    assert problem in str(raised.value)
    assert "LEASE_S" in str(raised.value)
    assert "xxxx" not in str(raised.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Docker makes one where a mounted file is missing."""
    _, problems = read_secret_files({"PORT_CLIENT_ID_FILE": str(tmp_path)})

    assert ["PORT_CLIENT_ID_FILE"] == [problem.variable for problem in problems]


def test_a_login_of_flower_may_come_by_file(tmp_path: Path) -> None:
    """Its only secret option that everybody needs."""
    assert "ann:pw" == read_secret({"FLOWER_BASIC_AUTH_FILE": held(tmp_path, b"ann:pw\n")}, FLOWER_LOGIN)
    with pytest.raises(ConfigError, match="FLOWER_BASIC_AUTH_FILE"):
        read_secret({"FLOWER_BASIC_AUTH_FILE": str(tmp_path)}, FLOWER_LOGIN)


def test_their_names_are_not_taken_for_slips() -> None:
    """`PORT_CLIENT_SECRET_FILE is not read. Did you mean PORT_CLIENT_SECRET?` would be wrong."""
    assert [] == list(find_advice(dict.fromkeys(FILE_NAMES, "x"), {name.upper() for name in Settings.model_fields}))
