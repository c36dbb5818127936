"""The `.env` file, names that are nearly ours, and entries of NO_PROXY."""

import os
from pathlib import Path

import pytest

from config.environment import REMOVED, find_advice, find_env_file, read_environment, rewrite_no_proxy
from config.settings import Settings, load
from longshore.errors import ConfigProblems

OURS = {name.upper() for name in Settings.model_fields}


def told(**environ: str) -> list[str]:
    """The advice for an environment."""
    return list(find_advice(environ, OURS))


def test_a_dotenv_file_above_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may lie in any folder above; the process environment is stronger."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / ".env").write_text("LOG_LEVEL=debug\nPORT_ORG_ID=from_file\nNAME='ünï'\n", encoding="utf-8")
    monkeypatch.chdir(below)
    for name, value in {"PORT_ORG_ID": "from_process", "PORT_CLIENT_ID": "c", "PORT_CLIENT_SECRET": "s3cret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAFKA_CONSUMER_GROUP_ID", "g")
    monkeypatch.delenv("LOG_LEVEL", raising=False)

    assert tmp_path / ".env" == find_env_file()
    assert "ünï" == read_environment()["NAME"]
    loaded = load()
    assert ("DEBUG", "from_process") == (loaded.log_level, loaded.port_org_id)
    assert "NAME" not in loaded.mapping_env(), "mappings see the process environment"


@pytest.mark.parametrize(
    "whose", ["file of another", "folder of another", "file for all", "folder for all", "link to one"]
)
def test_a_dotenv_file_that_others_may_have_written_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """It could send the client secret anywhere; the next one above is looked for, and advice says why."""
    below = tmp_path / "a"
    below.mkdir()
    file = below / ".env"
    file.write_text("LOG_LEVEL=debug\n")
    monkeypatch.chdir(below)
    found = below if "folder" in whose else file
    if "another" in whose:
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        os.chown(found, 12345, 12345)
    elif "link" in whose:
        file.rename(tmp_path / "real")
        (tmp_path / "real").chmod(0o666)
        file.symlink_to(tmp_path / "real")
    else:
        found.chmod(0o777)

    assert find_env_file() not in (file, tmp_path / "real")
    assert any(str(found) in line and "not read" in line for line in told())
    (tmp_path / ".env").write_text("LOG_LEVEL=debug\n")
    assert tmp_path / ".env" == find_env_file()


def test_a_dotenv_file_must_be_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another encoding would change a secret silently."""
    (tmp_path / ".env").write_bytes(b"LOG_LEVEL=\xff\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigProblems, match=r"\.env: cannot be read"):
        load()


@pytest.mark.parametrize("name", REMOVED)
def test_names_of_older_agents_are_accepted_and_said_to_be_ignored(name: str) -> None:
    """Guides still show them."""
    (line,) = told(**{name: "x"})

    assert line.startswith(f"{name} is no longer read")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PORT_CLIENTID", "PORT_CLIENT_ID"),
        ("log_level", "LOG_LEVEL"),
        ("LOG_LEVLE", "LOG_LEVEL"),
        ("REDIS_URI", "REDIS_URL"),
        ("KAFKA_GROUP_ID", "KAFKA_CONSUMER_GROUP_ID"),
        ("PORT_BASE_URL", "PORT_API_BASE_URL"),
    ],
)
def test_a_name_that_is_nearly_ours_is_asked_about(name: str, meant: str) -> None:
    """A misspelt setting would else be ignored without a word."""
    assert [f"{name} is not read. Did you mean {meant}?"] == told(**{name: "x"})


@pytest.mark.parametrize(
    "name", ["PATH", "GITLAB_URL", "platform_tools_billing", "REDIS_PORT", "PORT_AGENT_SERVICE_HOST", "HTTP_PROXY"]
)
def test_other_names_are_left_alone(name: str) -> None:
    """They are the mapping's, the libraries' or the cluster's business."""
    assert [] == told(**{name: "x"})


def test_stray_white_space_is_pointed_out_without_the_value() -> None:
    """A newline at the end of a mounted secret is a usual cause of refused credentials."""
    (line,) = told(PORT_CLIENT_SECRET="hush\n")

    assert line.startswith("PORT_CLIENT_SECRET")
    assert "hush" not in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT_CLIENT_SECRET", '"hush-hush"', "is in quotes"),
        ("PORT_CLIENT_ID", "'hush-hush'", "is in quotes"),
        ("PORT_CLIENT_SECRET", "hush\N{ZERO WIDTH SPACE}hush", "cannot be seen"),
        ("PORT_CLIENT_SECRET", "hush\r\n", "white space"),
        ("PORT_API_BASE_URL", "https://api.getport.io/v1/", "/v1"),
        ("ALL_PROXY", "socks4://ann:hush@proxy:1080", "SOCKS"),
        ("NO_PROXY", "10.*,ann:hush@x", "10.0.0.0/8"),
    ],
)
def test_values_that_look_badly_pasted_are_named(name: str, value: str, words: str) -> None:
    """Each by its variable, and without what may be secret in it."""
    (line,) = told(**{name: value})

    assert name in line
    assert words in line
    assert "hush" not in line


def test_a_consumer_group_of_another_organization_is_pointed_out() -> None:
    """Port's Kafka would refuse it; brokers of one's own take any."""
    assert [] == told(PORT_ORG_ID="org_A", KAFKA_CONSUMER_GROUP_ID="org_A.agent")
    for group in ("org_B.agent", "org_AB.agent", "agent"):
        (line,) = told(PORT_ORG_ID="org_A", KAFKA_CONSUMER_GROUP_ID=group)
        assert "KAFKA_CONSUMER_GROUP_ID does not begin with PORT_ORG_ID" in line
    local = {"USING_LOCAL_PORT_INSTANCE": "true"}
    assert [] == told(PORT_ORG_ID="org_A", KAFKA_CONSUMER_GROUP_ID="org_B.agent", **local)


def test_urls_in_no_proxy_become_hosts() -> None:
    """In both spellings of the variable; one that is not set stays unset."""
    environ = {"NO_PROXY": "http://127.0.0.1,google.com, https://u@h:8443/path", "no_proxy": "plain"}
    rewrite_no_proxy(environ)
    assert {"NO_PROXY": "127.0.0.1,google.com,h:8443", "no_proxy": "plain"} == environ

    environ = {"no_proxy": "http://10.0.0.1"}
    rewrite_no_proxy(environ)
    assert {"no_proxy": "10.0.0.1"} == environ
