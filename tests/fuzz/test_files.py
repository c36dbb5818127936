"""Whatever a mapping file, TARGETS_FILE or LIMITS_FILE holds: it is taken, or refused with its problems."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.host_limits import HostLimits
from longshore.delivery.host_table import BadHostTable
from longshore.delivery.target_options import parse_targets
from longshore.invocation.mapping import Mapping, MappingFileError

KEYS = [
    "enabled", "url", "method", "headers", "body", "bodyFormat", "query", "report", "fieldsToDecryptPaths", "delivery",
    "timeout", "target", "rate", "concurrency", "retry", "tls", "credentials", "success", "signature", "idempotency",
    "order", "host_header", "key", "behind_dead", "condition", "statuses", "type", "file", "header", "token_url",
    "client_id", "client_id_file", "client_secret_file", "scope", "username", "password_file", "certificate", "ca",
    "verify", "max_attempts", "status", "link", "summary", "unknown_outcome", "fresh", "token_file", "otherwise",
]  # fmt: skip
texts = st.sampled_from(
    [
        ".",
        ".payload",
        "",
        "form",
        "text",
        "true",
        "\ud800",
        "a b",
        "/none",
        "https://x/y",
        "200-299",
        "((",
        "hold",
        "env",
    ]
) | st.text(max_size=6)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | texts, inner, max_size=4),
    max_leaves=12,
)
entries = st.lists(st.dictionaries(st.sampled_from(KEYS[:10]), anything, max_size=5), max_size=3)
tables = st.dictionaries(
    st.sampled_from(["*.internal", "x:80", "10.0.0.0/8", "http://x:80", "::1", "", "*", "https://u:p@x", "a,b"])
    | texts,
    anything,
    max_size=3,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "file.json"


@given(content=st.binary(max_size=60) | (entries | anything).map(lambda value: json.dumps(value).encode()))
def test_a_mapping_file_is_taken_or_refused_with_its_problems(file: Path, content: bytes) -> None:
    """Never an error of another kind, also where jq has to look at its expressions."""
    file.write_bytes(content)
    with suppress(MappingFileError):
        Mapping.load(file, {}).close()


@given(content=st.binary(max_size=60) | (tables | anything).map(lambda value: json.dumps(value).encode()))
def test_a_file_by_host_is_taken_or_refused_with_its_problems(content: bytes) -> None:
    """Both of them; what is taken can be asked for any target."""
    with suppress(BadHostTable):
        HostLimits.parse(content).for_target("http://x:80")
    with suppress(BadHostTable):
        parse_targets(content).find("http://x:80")
