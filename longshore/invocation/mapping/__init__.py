"""Mapping files ("control the payload"): which invocations are ours, and which request each becomes."""

from longshore.invocation.mapping.evaluate import Mapping
from longshore.invocation.mapping.jq import JqLimits, JqUnavailable
from longshore.invocation.mapping.results import (
    MappedRequest,
    MappingFault,
    MappingFileError,
    Route,
    RouteResult,
    Unmatched,
)

__all__ = [
    "JqLimits",
    "JqUnavailable",
    "MappedRequest",
    "Mapping",
    "MappingFault",
    "MappingFileError",
    "Route",
    "RouteResult",
    "Unmatched",
]
