"""What Port hears, and how it is said: reports, the calls they become, and the client that makes them.

Knows no Celery, Kafka or environment, and nothing of how a delivery was made: it is given the outcome as values.
"""

from longshore.invocation.report_kinds import ReportKind
from longshore.port.api_calls import Call, calls
from longshore.port.client import KafkaCredentials, PortClient, Reply
from longshore.port.errors import PortRefused
from longshore.port.reports import (
    BadReport,
    Report,
    decode,
    delivered,
    encode,
    failed,
    received,
    refused,
    retrying,
    unknown,
)

__all__ = [
    "BadReport",
    "Call",
    "KafkaCredentials",
    "PortClient",
    "PortRefused",
    "Reply",
    "Report",
    "ReportKind",
    "calls",
    "decode",
    "delivered",
    "encode",
    "failed",
    "received",
    "refused",
    "retrying",
    "unknown",
]
