"""librdkafka's messages, as records."""

from confluent_kafka import Message
from opentelemetry.trace import SpanContext

from ingest.kafka.record import KafkaRecord
from longshore.invocation import trace


def to_record(message: Message, assignment_id: int = 0) -> KafkaRecord | None:
    """The record of a message without an error; None for one without a position, which Kafka does not send."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        return None
    timestamp_ms = message.timestamp()[1]
    return KafkaRecord(topic, partition, offset, timestamp_ms, message.value(), assignment_id, read_trace(message))


def read_trace(message: Message) -> SpanContext | None:
    """Which trace the headers of `message` say it belongs to."""
    try:
        headers = message.headers()
    except Exception:  # a header name that is not text: whoever publishes must not be able to stop the reading
        return None
    return trace.from_kafka(headers.items() if isinstance(headers, dict) else headers)
