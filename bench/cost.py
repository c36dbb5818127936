"""What programs have used so far: CPU time and switches as the kernel counts them, round trips as Redis counts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """Between two readings: CPU seconds of each part, and counters."""

    cpu_s: Mapping[str, float]
    trips: int
    """Requests that Redis has read: one for each round trip, of all clients."""
    switches: int
    """Voluntary and involuntary context switches of the worker's threads."""
    port_calls: int

    @property
    def total_s(self) -> float:
        """CPU seconds of all parts."""
        return sum(self.cpu_s.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """All counters at one moment."""

    cpu_s: Mapping[str, float]
    trips: int
    switches: Mapping[int, int]
    port_calls: int

    def since(self, earlier: "Reading", own_trips: int = 0) -> Cost:
        """What was used since `earlier`, without the bench's own `own_trips` to Redis.

        A thread that ended in between is not counted; the worker keeps its threads.
        """
        return Cost(
            {part: self.cpu_s[part] - earlier.cpu_s[part] for part in self.cpu_s},
            self.trips - earlier.trips - own_trips,
            sum(count - earlier.switches.get(thread, 0) for thread, count in self.switches.items()),
            self.port_calls - earlier.port_calls,
        )


def family(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def cpu_s(pid: int) -> float:
    """CPU seconds (user and system) of a process, its children that live and those that it has waited for."""
    seconds = 0.0
    for member in family(pid):
        try:
            seconds += sum(psutil.Process(member).cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue  # it ended while we looked, and its parent has its time
    return seconds


def switches(pid: int) -> dict[int, int]:
    """Thread → its context switches so far."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            lines = (task / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        counts[int(task.name)] = sum(int(line.split()[1]) for line in lines if "voluntary_ctxt_switches" in line)
    return counts


def resident_mb(pid: int) -> float:
    """Resident memory of a process alone, in MB."""
    return float(psutil.Process(pid).memory_info().rss / 1e6)


def shared_fairly_mb(pid: int) -> float:
    """Memory of a process and its children in MB, where pages that several share count once (PSS)."""
    return sum(_pss_kb(member) for member in family(pid)) * 1024 / 1e6


def _pss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
