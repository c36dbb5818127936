"""Whether spans go to a collector: as OpenTelemetry's own variables say."""

import os
from functools import cache

from opentelemetry.trace import NoOpTracer, Tracer

from longshore.telemetry.tracing import exporting_tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@cache
def tracer() -> Tracer:
    """The tracer of this process; the no-op one unless a collector is named and the extra `otel` is installed."""
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return NoOpTracer()
    has_name = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    # A credential provider of OpenTelemetry's makes the session itself.
    own_session = not any(name.endswith("_CREDENTIAL_PROVIDER") for name in os.environ)
    return exporting_tracer(None if has_name else "longshore", own_session=own_session) or NoOpTracer()
