"""A process that has everything ready for a job and forks itself for each: a new process at once.

Starting Python and importing everything takes a second of processor time, on a busy machine many seconds.
`ForkServer` is the worker's end, `serve_forks` that of the process. For each job a connection is handed over that only
the child keeps, so the connection ends with the child; the child's exit status then follows in four bytes.
"""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from longshore.runtime.die_with_parent import die_with

_STATUS = struct.Struct("!i")


class ForkServer:
    """The process, for one child at a time. It ends when whoever started it ends."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Raises OSError if no process can be made. It may take a while until the first child answers."""
        self._control, child_end = socket.socketpair()
        with child_end:
            try:
                # A session of its own: Ctrl-C is for the worker, which lets it end.
                self._process = subprocess.Popen(argv, stdin=child_end.fileno(), start_new_session=True)
            except BaseException:
                self._control.close()
                raise

    def fork(self) -> socket.socket:
        """The connection to a new child. Raises OSError if the process is gone."""
        connection, child_end = socket.socketpair()
        with child_end:
            try:
                socket.send_fds(self._control, [b"\n"], [child_end.fileno()])
            except BaseException:
                connection.close()
                raise
        return connection

    def wait(self) -> int | None:
        """Waits for the child's end: its exit code, or minus a signal; None if the process itself is gone."""
        try:
            status = self._control.recv(_STATUS.size, socket.MSG_WAITALL)
        except ConnectionError:
            return None
        return int(_STATUS.unpack(status)[0]) if len(status) == _STATUS.size else None

    def kill(self) -> None:
        """Ends the process and with it its child; may be called while others wait for them."""
        self._process.kill()

    def close(self) -> None:
        """Leaves nothing of it."""
        self._process.kill()
        self._process.wait()
        self._control.close()


def serve_forks() -> socket.socket:
    """Called once all is ready, without threads: returns in each child, with its connection. Ends with the worker."""
    control = socket.socket(fileno=os.dup(0))
    own_pid = os.getpid()
    while True:
        message, descriptors = b"", list[int]()
        with suppress(ConnectionError):
            message, descriptors, *_ = socket.recv_fds(control, 1, 1)
        if not message:
            sys.exit()
        connection = socket.socket(fileno=descriptors[0])
        read_end, write_end = os.pipe()  # the child keeps the one to write, so its death ends the one to read
        child = os.fork()
        if child == 0:
            die_with(own_pid)
            control.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            return connection
        os.close(write_end)
        connection.close()
        if read_end not in select.select([control.fileno(), read_end], [], [])[0]:
            os.kill(child, signal.SIGKILL)  # the worker says nothing while a child lives: so it is gone
        os.close(read_end)
        _, status = os.waitpid(child, 0)
        with suppress(ConnectionError):
            control.sendall(_STATUS.pack(os.waitstatus_to_exitcode(status)))
