"""What is read from files, and again once one of them was changed or replaced, as Kubernetes does with mounted Secrets.

It lies below all rooms, as `periodic.py` does: certificates, tokens and mappings are of different ones.
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from longshore.errors import LongshoreError

T = TypeVar("T")


def file_version(path: str) -> object:
    """Something that is another when the file, or who may read it, was changed, links followed; None without a file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_dev, status.st_ino


class WatchedFiles(Generic[T]):
    """The value that `read` makes of `paths`. Any number of threads may ask for it.

    A value that was read once is never lost: where reading fails later, the value from before stays until the files
    change again.
    """

    def __init__(
        self, paths: Sequence[str], read: Callable[[], T], on_failure: Callable[[LongshoreError | OSError], None]
    ) -> None:
        """Reads the files; raises what `read` raises. `on_failure` hears of LongshoreError and OSError after that."""
        self._paths = tuple(paths)
        self._read = read
        self._on_failure = on_failure
        self._lock = threading.Lock()
        # Taken before the files are read: a change in between is noticed at the next look.
        self._versions = self._look()
        self.value = read()
        """As it was read last; `get` looks for changes."""

    def get(self) -> T:
        """The value; costs one `stat` for each file. While one thread reads, the others get the value from before."""
        versions = self._look()
        if versions != self._versions and self._lock.acquire(blocking=False):
            try:
                if versions != self._versions:  # another thread may just have read them
                    self._versions = versions
                    self.value = self._read()
            except (LongshoreError, OSError) as error:
                self._on_failure(error)
            finally:
                self._lock.release()
        return self.value

    def _look(self) -> tuple[object, ...]:
        return tuple(map(file_version, self._paths))
