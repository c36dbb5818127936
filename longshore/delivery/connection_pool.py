"""Pools of an attempt's connections: what lies idle in them belongs to no attempt, and is not reused for long.

They hook into `urllib3` where it takes a connection from a pool and puts it back. Those methods are internal there, as
those of `connection.py`.
"""

from typing import TYPE_CHECKING, Any

from longshore.delivery.connection import DeadlineHttpConnection, DeadlineHttpsConnection
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.resolver import Resolver
from longshore.network import connections

if TYPE_CHECKING:
    _Pool = connections.HttpPool
else:
    _Pool = object


class _ReleasingPool(_Pool):
    """A pool whose idle connections belong to nobody, and are not trusted for long."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)
        if conn.is_stale():
            conn.close()
            self._close_stale()
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.release()
        super()._put_conn(conn)
        self._close_stale()

    def _close_stale(self) -> None:
        """The most recently used are handed out first: those that only a burst has needed grow old below them."""
        pool: Any = self.pool
        while pool is not None and (conn := pool.take_oldest(_is_stale)) is not None:
            conn.close()


def _is_stale(conn: Any) -> bool:
    return bool(conn.is_stale())


class DeadlineHttpPool(_ReleasingPool, connections.HttpPool):
    """Pooled plain connections to one origin, or to one proxy."""

    ConnectionCls = DeadlineHttpConnection


class DeadlineHttpsPool(_ReleasingPool, connections.HttpsPool):
    """Pooled TLS connections to one origin, or to one proxy."""

    ConnectionCls = DeadlineHttpsConnection

    def _validate_conn(self, conn: Any) -> None:
        # Without urllib3's warning for each request to a target that the operator chose not to verify.
        if conn.is_closed:
            conn.connect()


def pool_classes(resolver: Resolver, egress_policy: EgressPolicy) -> dict[str, Any]:
    """The pool class of each scheme, for `urllib3`: resolves with `resolver`, connects where `egress_policy` allows."""
    http = type(
        "DeadlineHttpConnection", (DeadlineHttpConnection,), {"resolver": resolver, "egress_policy": egress_policy}
    )
    https = type(
        "DeadlineHttpsConnection", (DeadlineHttpsConnection,), {"resolver": resolver, "egress_policy": egress_policy}
    )
    return {
        "http": type("DeadlineHttpPool", (DeadlineHttpPool,), {"ConnectionCls": http}),
        "https": type("DeadlineHttpsPool", (DeadlineHttpsPool,), {"ConnectionCls": https}),
    }
