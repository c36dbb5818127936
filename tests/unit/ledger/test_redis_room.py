"""Commands go to Redis from the ledger's room alone: elsewhere nobody has a client, and thus none is misused."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOM = "longshore/ledger/"

OTHER_CLIENTS = {
    "longshore/runtime/embedded_redis.py": "waits for the Redis that it has started",
    "tasks/celery/transport.py": "kombu's own channel, whose errors it translates",
    "tasks/celery/tolerant_channel.py": "the same",
}
"""Module outside the room that imports redis-py, and why it may."""

WIRING = {"longshore/operations/ledger_access.py"}
"""Hands the ledger's client to what reads and steers it."""


def modules() -> Iterator[tuple[str, ast.AST]]:
    """Every module of the four packages outside the room."""
    for package in ("longshore", "ingest", "tasks", "config"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(ROOM):
                yield name, ast.parse(path.read_text("utf-8"))


def imports_redis(tree: ast.AST) -> bool:
    """Whether a module imports redis-py, anywhere in it."""
    return any(
        (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "redis" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "redis")
        for node in ast.walk(tree)
    )


def takes_client(tree: ast.AST) -> bool:
    """Whether a module takes the client of a ledger: `ledger.redis`, whatever the ledger is called."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "redis"
        and ast.unparse(node.value).rpartition(".")[2].lstrip("_") == "ledger"
        for node in ast.walk(tree)
    )


def test_only_the_ledgers_room_imports_redis() -> None:
    """Raw commands elsewhere would know keys and their types a second time, and how Redis can be away."""
    assert set(OTHER_CLIENTS) == {name for name, tree in modules() if imports_redis(tree)}


def test_only_the_ledgers_room_takes_the_ledgers_client() -> None:
    """What another room needs from it is a function or a method there."""
    assert WIRING == {name for name, tree in modules() if takes_client(tree)}
