"""Between the first and the second step, where targets are given credentials: attempts get theirs before they begin.

Those whose access token has to be fetched wait here for it, so that neither the others of their batch nor any thread of
another stage waits for a token server. What is lost with the process are claims: nothing was sent, their leases lapse.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

from longshore.delivery.issued_credential import CredentialSource, issue
from longshore.delivery.request_builder import BuiltRequest
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.pipeline.attempts import PreparedAttempt
from tasks.worker.pipeline.begin import Begin
from tasks.worker.pipeline.claim_release import ClaimRelease

log = EventLog(__name__)


class Authorize:
    """Attaches credentials, and has the attempts begin. For any number of threads."""

    def __init__(self, begin: Begin, release: ClaimRelease) -> None:
        self._begin = begin
        self._release = release
        self._lock = threading.Lock()
        self._waiting: dict[CredentialSource, list[PreparedAttempt]] = {}

    @property
    def is_waiting(self) -> bool:
        """As for `Begin`."""
        return self._begin.is_waiting

    def begin_all(self, batch: Sequence[PreparedAttempt]) -> None:
        """Begins the attempts of `batch` that have all they need, the others once they have it. Raises nothing."""
        if batch and batch[0].executor.credentials is None:  # a batch is built by one executor
            self._begin.begin_all(batch)
            return
        ready = []
        for prepared in batch:
            attached = self._attach(prepared)
            if isinstance(attached, PreparedAttempt):
                ready.append(attached)
            else:
                self._wait(attached, prepared)
        self._begin.begin_all(ready)

    def stop(self) -> None:
        """Gives back what still waits."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        self._release.give_back([prepared.received for batch in waiting.values() for prepared in batch])

    def _attach(self, prepared: PreparedAttempt) -> PreparedAttempt | CredentialSource:
        if not isinstance(prepared.request, BuiltRequest):
            return prepared
        try:
            attached = prepared.executor.attach_credential(prepared.request)
        except Exception as error:  # the others of its batch go on
            return replace(prepared, request=prepared.executor.abandon_after_fault(prepared.attempt, error))
        return replace(prepared, request=attached) if isinstance(attached, BuiltRequest) else attached

    def _wait(self, source: CredentialSource, prepared: PreparedAttempt) -> None:
        with self._lock:
            if (batch := self._waiting.get(source)) is not None:
                batch.append(prepared)
                return
            self._waiting[source] = [prepared]
        try:
            threading.Thread(target=self._fetch, args=(source,), name="token", daemon=True).start()
        except RuntimeError as error:  # no memory or too many threads
            log.event(events.WORKER_THREAD_FAILED, error=str(error))
            self._fetch(source)

    def _fetch(self, source: CredentialSource) -> None:
        credential = issue(source)
        with self._lock:
            batch = self._waiting.pop(source, ())
        self._begin.begin_all(
            [
                replace(prepared, request=prepared.request.with_credential(credential))
                for prepared in batch
                if isinstance(prepared.request, BuiltRequest)
            ]
        )
