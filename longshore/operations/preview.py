"""The request that an invocation in the ledger would become now, for people: built as by a worker, secrets masked."""

import threading
from typing import Any

from config.mapping_file import MappingFile
from config.settings import Settings
from longshore.delivery.request_builder import RequestBuilder
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.ledger.invocations import InvocationReader, InvocationRecord
from longshore.ledger.seal import Unsealable
from longshore.operations.masked_request import as_preview


class RequestPreviews:
    """Builds previews of requests. Thread safe. The mapping is loaded on first use, and follows its file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._mappings: MappingFile | None = None

    def preview(self, reader: InvocationReader, record: InvocationRecord) -> dict[str, Any]:
        """Method, url, headers, query and body of the request; or a `problem`, and a `note` where one is due.

        Never raises for what a message or a mapping holds. Raises `StoreUnavailable`.
        """
        try:
            text = reader.payload(record.id)
        except Unsealable as error:
            return {"problem": str(error)}
        if text is None:
            return {"problem": "Its message is kept no longer."}
        return self.preview_message(text, record.mapping)

    def preview_message(self, text: str, entry_key: str) -> dict[str, Any]:
        """The preview of the message `text` that was accepted with the mapping entry `entry_key`."""
        try:
            return self._build(text, entry_key)
        except (LongshoreError, json_text.Malformed, RecursionError) as error:
            return {"problem": str(error) or type(error).__name__}

    def close(self) -> None:
        """Ends the child process that evaluates mappings, if there is one."""
        with self._lock:
            if self._mappings is not None:
                self._mappings.close()
                self._mappings = None

    def _build(self, text: str, entry_key: str) -> dict[str, Any]:
        mappings = self._load_mappings()
        mapping, problem = mappings.current, mappings.problem
        builder = RequestBuilder(mapping, self._settings.secrets, self._settings.secrets_to_mask)
        entry = builder.select_entry(text, entry_key)
        if entry is None:
            return {"problem": "no entry of the mapping file is enabled for it"}
        preview = as_preview(builder.build(builder.decrypt(text, entry), entry))
        if mapping.entry_of(entry_key) is None:
            preview["note"] = "The mapping file has changed since it was accepted; this is by the one of now."
        if problem is not None:
            preview["note"] = f"The mapping file was changed, and is refused; this is by the one before. {problem}"
        return preview

    def _load_mappings(self) -> MappingFile:
        with self._lock:
            if self._mappings is None:
                self._mappings = MappingFile(self._settings)
            else:
                self._mappings.refresh()
            return self._mappings
