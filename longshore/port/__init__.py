"""Reports on runs, the calls to Port that they become, and the client that makes those.

Knows no Celery, Kafka or environment, and nothing of how a delivery was made: it is given the outcome as values.
"""

from longshore.invocation.report_kinds import ReportKind
from longshore.port.api_calls import Call, build_calls
from longshore.port.client import KafkaCredentials, PortClient, Reply
from longshore.port.report_codec import BadReport, Report, decode_report, encode_report
from longshore.port.reports import delivered, failed, received, refused, retrying, unknown

__all__ = [
    "BadReport",
    "Call",
    "KafkaCredentials",
    "PortClient",
    "Reply",
    "Report",
    "ReportKind",
    "build_calls",
    "decode_report",
    "delivered",
    "encode_report",
    "failed",
    "received",
    "refused",
    "retrying",
    "unknown",
]
