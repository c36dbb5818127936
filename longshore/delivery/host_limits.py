"""Limits by host pattern: a file that says how fast and how many at once, for targets of which no mapping says it.

{"*.internal": {"rate": 5, "concurrency": 10}, "https://gw:443": {"rate": 50}, "10.0.0.0/8": {"concurrency": 4}}
"""

from longshore.delivery.host_table import HostTable
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.delivery_section import read_limits


class HostLimits:
    """The limits of a file. Empty without one."""

    def __init__(self, table: HostTable[DeliveryOptions] | None = None) -> None:
        self._table = table or HostTable()

    @classmethod
    def parse(cls, content: bytes) -> "HostLimits":
        """The limits that a file's content says. Raises BadHostTable, which names every problem."""
        return cls(HostTable.parse(content, read_limits))

    def for_target(self, target: str) -> DeliveryOptions:
        """What the file says of a target; of one with a name of its own, nothing."""
        return self._table.find(target) or DeliveryOptions()

    def __bool__(self) -> bool:
        return bool(self._table)
