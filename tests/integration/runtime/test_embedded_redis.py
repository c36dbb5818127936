"""The embedded Redis is durable, restartable and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest
import redis

from longshore.runtime import embedded_redis
from longshore.runtime.embedded_redis import EmbeddedRedis, RedisMissing, RedisNotReady, free_port


def client_of(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_is_durable_and_evicts_nothing(redis_server: EmbeddedRedis) -> None:
    """What production must set by hand, the embedded one has."""
    with client_of(redis_server) as client:
        config = client.config_get("*")

    assert ("yes", "everysec", "noeviction") == (
        config["appendonly"],
        config["appendfsync"],
        config["maxmemory-policy"],
    )
    assert "127.0.0.1" == config["bind"]


def test_a_kill_loses_nothing_acknowledged_and_the_address_stays(redis_server: EmbeddedRedis) -> None:
    """After SIGKILL and a new start, a client finds its data at the same URL."""
    with client_of(redis_server) as client:
        client.set("kept", "yes")
        url = redis_server.url
        redis_server.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("kept")
        redis_server.start()

        assert "yes" == client.get("kept")
        assert url == redis_server.url


def test_a_stop_keeps_a_named_folder(tmp_path: Path) -> None:
    """LONGSHORE_DATA set means that it lasts."""
    with EmbeddedRedis(tmp_path / "data") as server, client_of(server) as client:
        client.set("kept", "yes")

    with EmbeddedRedis(tmp_path / "data") as server, client_of(server) as client:
        assert "yes" == client.get("kept")


def test_a_stop_removes_a_temporary_folder_and_the_process() -> None:
    """Nothing is left of a Redis without a folder of its own."""
    with EmbeddedRedis() as server:
        process = server.process
        assert process is not None
        assert server.data_dir.is_dir()

    assert not server.data_dir.exists()
    assert not psutil.pid_exists(process.pid)


def test_nobody_else_reaches_a_private_one_or_its_data(tmp_path: Path) -> None:
    """No port at all, and folders for this user alone, also where the data's was there before, open to all."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    with EmbeddedRedis(data, private=True) as server, client_of(server) as client:
        assert client.set("kept", "yes")
        assert server.process is not None
        assert [] == psutil.Process(server.process.pid).net_connections("tcp")
        sock = Path(client.config_get("unixsocket")["unixsocket"])
        assert {0o700} == {stat.S_IMODE(folder.stat().st_mode) for folder in (data, sock.parent)}
        server.kill()
        server.start()
        assert "yes" == client.get("kept")

    assert data.exists()
    assert not sock.parent.exists()


def test_a_private_one_works_in_a_deep_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's path may not be longer than some hundred bytes."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with EmbeddedRedis(private=True) as server, client_of(server) as client:
        assert client.ping()


def test_a_private_one_needs_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container whose one writable place is the volume. That stays when it ends."""
    monkeypatch.setattr(embedded_redis, "_own_folder", Mock(side_effect=FileNotFoundError("no temporary folder")))
    data = tmp_path / "data"
    with EmbeddedRedis(data, private=True) as server, client_of(server) as client:
        assert client.ping()

    assert data.exists()


def test_the_memory_limit_is_passed_on(tmp_path: Path) -> None:
    """Intake pauses above a share of the limit, so it must be there."""
    with EmbeddedRedis(tmp_path, max_memory_mb=64) as server, client_of(server) as client:
        assert str(64 << 20) == client.config_get("maxmemory")["maxmemory"]


def test_a_chosen_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """Somebody else's server at the port is not mistaken for ours."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = EmbeddedRedis(tmp_path, taken.getsockname()[1])
        with pytest.raises(RedisNotReady, match="Address already in use"):
            server.start()

    assert not server.running


def test_a_free_port_that_was_snatched_is_replaced(tmp_path: Path) -> None:
    """Between choosing a port and binding it, another program may take it."""
    server = EmbeddedRedis(tmp_path)
    with socket.create_server(("127.0.0.1", server.port)), server, client_of(server) as client:
        assert client.ping()


def test_a_free_port_is_none_that_connections_are_given() -> None:
    """It would be gone before a server listens there, or while that is down and clients try to reach it."""
    lowest, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not [port for port in (free_port() for _ in range(50)) if port >= lowest]


def test_the_program_beside_python_serves_when_path_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A clone's set-up puts redis-server into .venv/bin, which need not be on PATH."""
    beside = tmp_path / "redis-server"
    beside.write_text("#!/bin/sh\n")
    beside.chmod(0o755)
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    assert str(beside) == embedded_redis.find_program()


def test_a_missing_program_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the remedies."""
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    with pytest.raises(RedisMissing, match="apt install redis-server"):
        embedded_redis.find_program()
