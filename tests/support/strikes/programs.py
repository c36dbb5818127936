"""Programs that are killed, come, go, or have too little of something."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

import psutil

from longshore.invocation.mapping import jq_process
from tests.support.flower import Flower
from tests.support.scene import EXIT_BOUND_S, FULL, STRIKE_S, Scene
from tests.support.strikes.strike import Strike

MORE_WORKERS = 3
JOINS = 3
JOIN_S = 5.0 if FULL else 2.0
"""How long a member stays, and how long it stays away."""
SPARE_FILES = 2
JQ_MAPPING = Path(__file__).with_name("mapping_for_jq.json")


def kill_flower(scene: Scene) -> None:
    """While it is read, and started again."""
    for _ in range(2):
        flower = Flower(scene.fleet.folder, **scene.fleet.environ)
        try:
            flower.get("/api/workers")
            scene.pass_time(STRIKE_S / 2)
        finally:
            flower.close()


def scale(scene: Scene) -> None:
    """More workers under load, and fewer again, all at once."""
    more = scene.fleet.start("worker", MORE_WORKERS)
    for worker in more:
        worker.wait_ready()
    scene.pass_time()
    for worker in more:
        worker.ask_to_end()
    scene.pass_time(STRIKE_S / 4)
    for worker in more:
        code, _ = worker.wait_end(2 * EXIT_BOUND_S)
        assert code == 0, f"{worker.name} ended with code {code}"


def join_and_leave(scene: Scene) -> None:
    """A member of the group comes and goes, again and again."""
    for _ in range(JOINS):
        (member,) = scene.fleet.start("ingest")
        scene.pass_time(JOIN_S)
        member.wait_ready().ask_to_end()
        code, _ = member.wait_end(2 * EXIT_BOUND_S)
        assert code == 0, f"{member.name} ended with code {code}"
        scene.pass_time(JOIN_S)


def kill_jq(scene: Scene) -> None:
    """The processes that evaluate expressions, as the kernel does when memory runs out."""
    killed = 0
    for _ in range(4):
        scene.pass_time(STRIKE_S / 4)
        for pid in scene.fleet.pids():
            for child in psutil.Process(pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # or died of the last kill, and nobody has noticed yet
                    if jq_process._PROGRAM.name in " ".join(child.cmdline()):
                        child.kill()
                        killed += 1
    assert killed, "no expression was evaluated by jq: this proves nothing"


def exhaust_files(scene: Scene) -> None:
    """No program of the fleet may open a file or a connection more."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in scene.fleet.pids()}
    try:
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (psutil.Process(pid).num_fds() + SPARE_FILES, hard))
        scene.pass_time()
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


PROGRAMS = (
    Strike("Flower killed twice", "deliveries do not depend on it", kill_flower),
    Strike(
        f"{MORE_WORKERS} workers more, then fewer",
        "the new ones take part, the old ones end in order",
        scale,
        polls=True,
    ),
    Strike(
        "Kafka: members join and leave again and again",
        "partitions move, each is read on",
        join_and_leave,
        of_kafka=True,
    ),
    Strike(
        "jq's processes killed, as when memory runs out",
        "others take their place, and what they had is evaluated again",
        kill_jq,
        environ={"CONTROL_THE_PAYLOAD_CONFIG_PATH": str(JQ_MAPPING)},
    ),
    Strike(
        "no file descriptors left",
        "what cannot be sent is tried again",
        exhaust_files,
        environ={"RETRY_MAX_ATTEMPTS": "100"},
    ),
)
