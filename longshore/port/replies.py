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
    def read(cls, body: Any) -> Self | None:
        """The credentials in a reply's body, None if they are not all there."""
        found = body.get("credentials") if isinstance(body, dict) else None
        if not isinstance(found, dict):
            return None
        brokers, username, password = found.get("brokers"), found.get("username"), found.get("password")
        if not isinstance(brokers, list) or not brokers or not all(isinstance(each, str) and each for each in brokers):
            return None
        if not isinstance(username, str) or not isinstance(password, str):
            return None
        return cls(tuple(brokers), username, password)
