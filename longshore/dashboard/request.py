"""The request an invocation would become now, for people: built as a worker builds it, with secrets masked."""

import threading
from typing import Any

from config.settings import Settings
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.invocation.mapping import Mapping
from longshore.invocation.masking import MASK, Mask
from longshore.invocation.opened import mask_of, opened
from longshore.invocation.sensitive_names import is_sensitive_parameter
from longshore.invocation.urls import without_login
from longshore.store.letters import Letter


class Requests:
    """Builds requests to look at. Thread safe. The mapping is loaded when the first one is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._mapping: Mapping | None = None

    def shown(self, letter: Letter, text: str) -> dict[str, Any]:
        """Method, url, headers, query and body for the message `text`; or a `problem`, and a `note` where one is due.

        Never raises for what a message or a mapping holds.
        """
        try:
            mapping = self._loaded()
            return self._built(mapping, letter, text)
        except (LongshoreError, json_text.Malformed, RecursionError) as error:
            return {"problem": str(error) or type(error).__name__}

    def close(self) -> None:
        """Ends the child process that evaluates mappings, if there is one."""
        with self._lock:
            if self._mapping is not None:
                self._mapping.close()
                self._mapping = None

    def _built(self, mapping: Mapping, letter: Letter, text: str) -> dict[str, Any]:
        digest, _, number = letter.mapping.partition("/")
        same = digest == mapping.digest and number.isdigit()
        entry = int(number) if same else mapping.select(text)
        if entry is None:
            return {"problem": "no entry of the mapping file that Flower was started with is enabled for it"}
        message = opened(text, mapping.decrypt_paths(entry), self._settings.secrets)
        request = mapping.request(entry, message.text)
        mask = mask_of(message, request, Mask(self._settings.masked), mapping.variables(entry, request, message.text))
        found: dict[str, Any] = {
            "method": request.method.upper(),
            "url": mask.text(without_login(request.url or "")),
            "headers": {name: _masked(name, value, mask) for name, value in request.headers.items()},
            "query": [[name, _masked(name, value, mask)] for name, value in request.query],
            "body": mask.body(request.body) if request.body is not None else None,
        }
        if not same:
            found["note"] = "The mapping file has changed since it was accepted; this is by the one Flower has."
        return found

    def _loaded(self) -> Mapping:
        with self._lock:
            if self._mapping is None:
                self._mapping = Mapping.load(self._settings.mapping_path, self._settings.mapping_env())
            return self._mapping


def _masked(name: str, value: str, mask: Mask) -> str:
    return MASK if is_sensitive_parameter(name) else mask.text(value)
