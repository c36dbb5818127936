"""A few examples of each test in `make test`, the same ones each time; many, and others, in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("LONGSHORE_FUZZ_EXAMPLES", "0"))

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES or 15,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("fuzz")
