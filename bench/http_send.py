"""The CPU time that one delivery over HTTP costs the sender: `python -m bench.http_send [requests] [threads]`.

A signed POST of 1 KB with keep-alive, deadline and classification included, against a small server in a process of
its own, so that only the sender's CPU is counted. Prints CPU-ms per POST, once from one thread and once from many.
"""

import multiprocessing
import socket
import sys
import threading
import time
from dataclasses import dataclass, field

from longshore.delivery import Sender, Verdict

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass(frozen=True)
class Post:
    """A mapped request."""

    url: str
    body: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: {"X-Team": "platform"})
    query: tuple[tuple[str, str], ...] = ()


def serve(listener: socket.socket) -> None:
    """Answer every request of every connection at once."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()


def answer(client: socket.socket) -> None:
    """Answer the requests of one connection; each body is as long as its Content-Length."""
    buffer = b""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while chunk := client.recv(65_536):
        buffer += chunk
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            length = int(buffer[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(buffer) < end + 4 + length:
                break
            buffer = buffer[end + 4 + length :]
            client.sendall(ANSWER)


def measure(url: str, requests: int, threads: int) -> float:
    """CPU-ms per POST of `requests` POSTs from `threads` threads."""
    sender = Sender("bench-secret", pool_size=threads)
    post = Post(url, '{"data":"' + "x" * 1_000 + '"}')

    def work() -> None:
        for number in range(requests // threads):
            if sender.send(post, {"Idempotency-Key": f"r_{number}"}).verdict is not Verdict.DELIVERED:
                raise SystemExit("the server did not take a request")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    sender.send(post)
    before = time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.process_time() - before) * 1_000 / (requests // threads * threads)


def main() -> None:
    """Print the figures."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    for count in (1, threads):
        print(f"{measure(url, requests, count):.3f} CPU-ms per POST from {count} thread(s)")
    server.terminate()


if __name__ == "__main__":
    main()
