"""Mappings that end their jq process with the test."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

import pytest

from longshore.invocation.mapping import JqLimits
from longshore.invocation.mapping import Mapping as MappingFile
from longshore.invocation.mapping.jq import JqEngine

Load = Callable[..., MappingFile]


@pytest.fixture
def load() -> Iterator[Load]:
    """Load a mapping file from its entries: `load([{...}], env={...}, limits=JqLimits(...))`."""
    with ExitStack() as stack:

        def load(config: Any, env: Mapping[str, str] | None = None, limits: JqLimits | None = None) -> MappingFile:
            content = config if isinstance(config, bytes) else json.dumps(config).encode()
            return stack.enter_context(closing(MappingFile(content, env or {}, limits)))

        yield load


@pytest.fixture
def engine() -> Iterator[JqEngine]:
    """A jq engine that sees two variables."""
    with closing(JqEngine({"TOKEN": "t0k", "LANG": "C"})) as engine:
        yield engine
