"""Which Longshore this is."""

import os
from importlib import metadata


def version() -> str:
    """`PORT_AGENT_VERSION` if set, else the installed package's version, else `unknown`."""
    if override := os.environ.get("PORT_AGENT_VERSION"):
        return override
    try:
        return metadata.version("longshore")
    except metadata.PackageNotFoundError:
        return "unknown"
