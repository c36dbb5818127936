"""What the Port API answers, as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Reply:
    """Port's answer to one call; `headers` are looked up in any case."""

    status: int
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def body(self) -> Any:
        """The JSON value of the body, None when it is not JSON. Parsed when asked for, as most replies are not read."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class KafkaCredentials:
    """Port's Kafka: `host:port` of its brokers, user name and password."""

    brokers: tuple[str, ...]
    username: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, body: Any) -> Self | None:
        """The credentials in a reply's body, None if they are not all there."""
        fields = body.get("credentials") if isinstance(body, dict) else None
        if not isinstance(fields, dict):
            return None
        brokers, username, password = fields.get("brokers"), fields.get("username"), fields.get("password")
        if not isinstance(brokers, list) or not brokers or not all(isinstance(one, str) and one for one in brokers):
            return None
        if not isinstance(username, str) or not isinstance(password, str):
            return None
        return cls(tuple(brokers), username, password)
