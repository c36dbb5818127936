"""What a pool keeps idle, and which connection it hands out."""

import queue

import pytest

from longshore.network.connections import HttpPool
from longshore.network.idle_connections import IdleConnections


def test_the_last_one_given_back_is_the_first_to_be_taken() -> None:
    """So that those that nobody needs any more grow old, and are closed."""
    idle = IdleConnections(3)
    for conn in ("a", "b", "c"):
        idle.put(conn)

    assert ("c", "a", 1) == (idle.get(), idle.take_oldest(bool), idle.qsize())


def test_the_oldest_one_stays_where_it_is_not_wanted() -> None:
    """Nor is one taken that another thread has put into its place."""
    idle = IdleConnections(2)
    idle.put("a")
    idle.put("b")

    def while_another_takes_it(conn: str) -> bool:
        if conn == "a":
            idle.take_oldest(bool)
        return conn == "a"

    assert idle.take_oldest(lambda conn: conn != "a") is None
    assert idle.take_oldest(while_another_takes_it) is None
    assert ("b", 0) == (idle.get(), idle.qsize())


def test_no_more_are_kept_than_was_said() -> None:
    """A pool closes what does not fit."""
    idle = IdleConnections(1)
    idle.put("a")

    with pytest.raises(queue.Full):
        idle.put("b")


def test_what_is_empty_says_so_and_makes_nobody_wait() -> None:
    """A pool then opens a connection."""
    idle = IdleConnections(1)
    idle.put(None)

    assert idle.take_oldest(bool) is None
    with pytest.raises(queue.Empty):
        idle.get(block=True)


def test_the_pools_of_urllib3_use_it_and_close_what_they_cannot_keep() -> None:
    """A hook of theirs, which a later version may take away."""
    pool = HttpPool("127.0.0.1", 1, maxsize=1)
    conns = [pool._get_conn(), pool._get_conn()]
    for conn in conns:
        pool._put_conn(conn)

    assert isinstance(pool.pool, IdleConnections)
    assert conns[0] is pool._get_conn()
    pool.close()
