"""What a pool of an attempt's connections does with those that lie idle."""

import socket

from longshore.delivery.connection import MAX_IDLE_S
from longshore.delivery.connection_pool import DeadlineHttpPool


def test_connections_that_only_a_burst_has_needed_are_closed() -> None:
    """Though one of them is used again and again: the others would stay for as long as that goes on."""
    pool, ends = DeadlineHttpPool("127.0.0.1", 1, maxsize=3), [socket.socketpair() for _ in range(3)]
    burst = [pool._get_conn() for _ in ends]
    for conn, (sock, _) in zip(burst, ends, strict=True):
        conn.sock = sock
    for conn in burst:
        pool._put_conn(conn)
    for conn in burst[:2]:
        conn.idle_since -= 2 * MAX_IDLE_S

    in_use = pool._get_conn()
    pool._put_conn(in_use)

    assert [True, True, False] == [conn.sock is None for conn in burst]
    assert in_use is burst[2]
    pool.close()
    for _, far_end in ends:
        assert far_end.recv(1) == b""
        far_end.close()
