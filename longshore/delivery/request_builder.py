"""From the message of an invocation to the request that its mapping makes of it.

One builder for whoever asks: the worker that sends the request, Flower that shows it, and `longshore mapping test` that
tries a mapping out. It works on plain values and sends nothing: opening what the ledger keeps sealed, signing and
sending are for others. Decrypted values live only in what `build` returns.
"""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from longshore.delivery.issued_credential import IssuedCredential, NoToken
from longshore.delivery.outcome import Outcome
from longshore.delivery.send_errors import BadUrl, Unsendable
from longshore.delivery.success import judge_answer
from longshore.delivery.target import target_of
from longshore.invocation.decrypted import DecryptedMessage, decrypt_message
from longshore.invocation.gitlab import missing_token
from longshore.invocation.mapping import JqUnavailable, MappedRequest, Mapping, Route
from longshore.invocation.masking import Mask
from longshore.invocation.report_context import AnyResponse, build_report_context
from longshore.invocation.request_mask import build_mask


@dataclass(frozen=True, slots=True)
class BuiltRequest:
    """The request for one message, before it is signed."""

    entry: int
    """The mapping entry that it is from."""
    message: DecryptedMessage = field(repr=False)
    """The message after decryption: `.body` of the mapping's report."""
    request: MappedRequest = field(repr=False)
    mask: Mask = field(repr=False)
    """What of it no log line, no text for Port, no dead letter and no page may hold."""
    credential: IssuedCredential | NoToken | None = field(default=None, repr=False)
    """What it is given for its target beside what the mapping gave; or why there is none, and it cannot be sent now."""

    def with_credential(self, credential: IssuedCredential | NoToken) -> "BuiltRequest":
        """The same with `credential`, masked against its coming back."""
        mask = self.mask + credential.mask if isinstance(credential, IssuedCredential) else self.mask
        return replace(self, credential=credential, mask=mask)


class RequestBuilder:
    """Builds requests with one mapping file. Thread safe as that is."""

    def __init__(self, mapping: Mapping, secrets: Sequence[str], masked: Sequence[str]) -> None:
        """`secrets` decrypt; `masked` is what must never be shown, the secrets among it."""
        self._mapping = mapping
        self._secrets = secrets
        self._always = Mask(masked)

    def select_entry(self, text: str, accepted: str = "") -> int | None:
        """The mapping entry for the message `text`, None if none is enabled for it.

        It is the one that it was `accepted` with (see `Mapping.reference`) if that is of the same file. Raises
        `MappingFault` and `JqUnavailable`.
        """
        result = self.select_entries([(text, accepted)])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def select_entries(self, messages: Sequence[tuple[str, str]]) -> list[int | Exception | None]:
        """For each text, and the entry it was accepted with, what `select_entry` would give or raise.

        Asks jq once for all that were accepted with another file: after a change that is a whole backlog.
        """
        results: list[int | Exception | None] = [self._mapping.entry_of(accepted) for _, accepted in messages]
        others = [place for place, entry in enumerate(results) if entry is None]
        try:
            routes: Sequence[object] = self._mapping.routes([messages[place][0] for place in others]) if others else ()
        except JqUnavailable as error:
            routes = [error] * len(others)
        for place, route in zip(others, routes, strict=True):
            results[place] = (
                route.entry if isinstance(route, Route) else route if isinstance(route, Exception) else None
            )
        return results

    def decrypt(self, text: str, entry: int, verbatim: bool = False) -> DecryptedMessage:
        """The message `text` with the secret inputs decrypted that `entry` names.

        `verbatim` as in `DecryptedMessage`. Raises `json_text.Malformed` for a text that is not JSON.
        """
        return decrypt_message(text, self._mapping.decrypt_paths(entry), self._secrets, verbatim)

    def build(self, message: DecryptedMessage, entry: int) -> BuiltRequest:
        """The request that `entry` makes of a decrypted message.

        It may be one that cannot be sent: see `resolve_target` and `check_variables`. Raises `MappingFault` and
        `JqUnavailable`.
        """
        result = self.build_many([(message, entry)])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def build_many(self, messages: Sequence[tuple[DecryptedMessage, int]]) -> list[BuiltRequest | Exception]:
        """For each message and its entry what `build` would give or raise; none harms another.

        Asks jq once for each entry, but for large messages, which are evaluated one by one.
        """
        results: dict[int, BuiltRequest | Exception] = {}
        for entry in {entry for _, entry in messages}:
            places = [place for place, (_, of_entry) in enumerate(messages) if of_entry == entry]
            requests = self._mapping.requests(entry, [messages[place][0] for place in places])
            for place, request in zip(places, requests, strict=True):
                results[place] = self._complete(messages[place][0], entry, request)
        return [results[place] for place in range(len(messages))]

    def _complete(
        self, message: DecryptedMessage, entry: int, request: MappedRequest | Exception
    ) -> BuiltRequest | Exception:
        if isinstance(request, Exception):
            return request
        try:
            variables = self._mapping.variables(entry, request, message.text)
            return BuiltRequest(entry, message, request, build_mask(message, request, self._always, variables))
        except Exception as error:
            return error

    def resolve_target(self, built: BuiltRequest) -> str:
        """The target of a request: as the mapping names it, otherwise the origin of its URL. Raises `BadUrl`."""
        if not built.request.url:
            raise BadUrl("the mapping gives no URL")
        origin = target_of(built.request.url)  # in any case, as it finds out whether the URL can be called
        name = self._mapping.delivery(built.entry).target
        return origin if name is None else name

    def check_variables(self, built: BuiltRequest) -> None:
        """Raises `Unsendable` (`missing_variable`) if the environment lacks what the target will insist on."""
        if (problem := missing_token(self._mapping, built.entry, built.message.text, built.request)) is not None:
            raise Unsendable("missing_variable", problem)

    def judge(self, built: BuiltRequest, outcome: Outcome) -> Outcome:
        """`outcome` as the mapping's rules of success take it; itself where it has none."""
        rule = self._mapping.delivery(built.entry).success
        if rule is None:
            return outcome
        return judge_answer(outcome, rule, partial(self._mapping.find_answer_problem, built.entry))

    def evaluate_report(
        self, built: BuiltRequest, headers: Table[str, str], response: AnyResponse
    ) -> dict[str, Any] | None:
        """What the mapping's `report` section makes of the final response; None where it has none.

        `headers` are those of the request as it was sent. Raises `MappingFault` and `JqUnavailable`.
        """
        if not self._mapping.has_report(built.entry):
            return None
        context = build_report_context(built.message.text, built.request, headers, response)
        return self._mapping.report(built.entry, context)
