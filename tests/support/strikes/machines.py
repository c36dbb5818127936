"""Programs on machines of their own, which vanish, or run out of memory."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.support import memory_group, namespace
from tests.support.fleet import Role
from tests.support.memory_group import MemoryGroup
from tests.support.namespace import Namespace
from tests.support.scene import BUSY, LEASE_S, Recovery, Scene
from tests.support.strikes.lines import stay_away
from tests.support.strikes.strike import Cost, Strike


def vanish(scene: Scene) -> None:
    """A worker and its network are gone at once: Redis and the targets never hear that its connections ended."""
    with Namespace() as machine:
        (worker,) = scene.fleet.start("worker", launcher=machine.launcher)
        scene.until_busy(worker.wait_ready())
        machine.pull()
        worker.kill()
        scene.note_kill(worker)
        scene.pass_time()
        assert machine.connections(), f"{worker.name} has said goodbye: this proves nothing"


def unplug(scene: Scene) -> None:
    """A worker lives on and reaches nothing for longer than its leases, and comes back."""
    with Namespace() as machine:
        (worker,) = scene.fleet.start("worker", launcher=machine.launcher)
        stay_away(scene, worker.wait_ready(), machine.pull, machine.plug)


def run_out_of_memory(role: Role) -> Callable[[Scene], None]:
    """Of one of several the kernel takes away what memory it does not use yet, until it kills the program."""

    def run(scene: Scene) -> None:
        with MemoryGroup() as group:
            (member,) = scene.fleet.start(role, launcher=group.launcher)
            scene.until_busy(member.wait_ready())
            published = list(scene.load.sent)

            def dies() -> bool:
                member.note_children()
                group.take_away()
                if len(scene.accounts.unfinished(scene.load.sent)) < BUSY:
                    scene.load.publish(BUSY, scene.load.targets)
                return not member.alive

            scene.until(dies, f"the kernel kills {member.name}")
            if role == "worker":
                scene.note_kill(member)
            else:
                scene.recoveries.append(
                    Recovery(f"{member.name} killed", lambda: not scene.accounts.missing(published))
                )
            group.give_back()
            assert (member.process.returncode, group.kills() > 0) == (-signal.SIGKILL, True), member.log()[-2000:]
            scene.until(lambda: not scene.fleet.orphans(), "the children of killed programs have ended")

    return run


MACHINES = (
    Strike(
        "a worker's machine vanishes",
        "others take up what it held",
        vanish,
        Cost.OUTCOMES,
        polls=True,
        lacks=namespace.lack,
    ),
    Strike(
        "a worker's machine without network for longer than its lease",
        "others take up what it held, a late result is stored, and it takes part again",
        unplug,
        Cost.OUTCOMES,
        {"LEASE_S": str(LEASE_S)},
        lacks=namespace.lack,
    ),
    Strike(
        "out of memory: a worker killed by the kernel",
        "what it held is taken up",
        run_out_of_memory("worker"),
        Cost.OUTCOMES,
        polls=True,
        lacks=memory_group.lack,
    ),
    Strike(
        "out of memory: an ingest killed by the kernel",
        "what it had read and not stored is read by others",
        run_out_of_memory("ingest"),
        polls=True,
        lacks=memory_group.lack,
    ),
)
