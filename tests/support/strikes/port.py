"""Port's API that answers, but not what is wanted."""

from __future__ import annotations

from collections.abc import Callable

from longshore.sandbox import fake_port_rules as rules
from tests.support.scene import Scene
from tests.support.strikes.strike import Strike

HANG = 0
"""No status at all."""
CALLS = tuple(endpoint.name for endpoint in rules.ENDPOINTS)


def answer(status: int) -> Callable[[Scene], None]:
    """All calls are answered so, those for tokens too."""

    def run(scene: Scene) -> None:
        headers = (("Retry-After", "1"),) if status == 429 else ()
        for name in CALLS:
            scene.port.fail(name, status, headers=headers)
        try:
            scene.pass_time()
        finally:
            scene.port.mend()

    return run


def revoke(scene: Scene) -> None:
    """All tokens; new ones are to be had at once."""
    scene.port.revoke_tokens()
    scene.pass_time()


FOLLOWS = "deliveries go on, reports wait"
ANSWERS = {"401, tokens refused too": 401, "429": 429, "500": 500, "no answer": HANG}

PORT = (
    Strike("Port API: 401, tokens revoked", "a new token is fetched", revoke, polls=True),
    *(Strike(f"Port API: {name}", FOLLOWS, answer(status), polls=True) for name, status in ANSWERS.items()),
)
