"""A Redis with known flaws is told by its number."""

import pytest

from longshore.ledger.redis_requirements import RedisFacts, unpatched


@pytest.mark.parametrize(
    ("version", "valkey", "better"),
    [
        ("6.2.14", "", "6.2.20"),
        ("6.2.20", "", ""),
        ("7.0.15", "", "7.2.11"),
        ("7.2.10", "", "7.2.11"),
        ("7.4.6", "", ""),
        ("8.0.3", "", "8.0.4"),
        ("8.2.2", "", ""),
        ("8.4.0", "", ""),
        ("255.255.255", "", ""),
        ("", "", ""),
        ("7.2.4", "8.0.5", "8.0.6"),
        ("7.2.4", "8.1.4", ""),
        ("7.2.4", "9.0.0", ""),
    ],
)
def test_a_version_below_the_patched_one_of_its_series_should_be_updated(
    version: str, valkey: str, better: str
) -> None:
    """To the next that is; a Valkey calls itself an old Redis beside its own number."""
    facts = RedisFacts(version, "standalone", "master", "noeviction", True, "", None, 0, 0, valkey)

    assert better == unpatched(facts)
