"""The credentials of all targets: found for a request, fetched where they must be, shared by all who need them."""

import threading
import time
from functools import partial

from longshore.delivery.access_tokens import AccessTokens
from longshore.delivery.issued_credential import CredentialSource, NoToken
from longshore.delivery.request_builder import BuiltRequest
from longshore.delivery.secret_file import FileCredential
from longshore.delivery.send import Sender
from longshore.delivery.target_options import choose_credentials
from longshore.delivery.token_request import fetch_token
from longshore.invocation.credentials_section import CredentialOptions, OAuth2Options
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.urls import split_url


class Credentials:
    """The credentials of all targets, each shared by all of a process. Thread safe."""

    def __init__(self, sender: Sender) -> None:
        """`sender` asks for tokens, and knows the targets file."""
        self._sender = sender
        self._lock = threading.Lock()
        self._sources: dict[CredentialOptions, CredentialSource] = {}

    def attach(self, built: BuiltRequest, delivery: DeliveryOptions) -> BuiltRequest | CredentialSource:
        """`built` with its credential, if it carries any; or who is to be asked for it first, which takes time.

        `delivery` are the options of its mapping.
        """
        options = choose_credentials(delivery, self._sender.targets(), built.request)
        if options is None:
            return built
        source = self._find_source(options)
        try:
            credential = source.current()
        except NoToken as error:
            return built.with_credential(error)
        return source if credential is None else built.with_credential(credential)

    def _find_source(self, options: CredentialOptions) -> CredentialSource:
        source = self._sources.get(options)
        if source is None:
            with self._lock:
                source = self._sources.setdefault(options, self._build_source(options))
        return source

    def _build_source(self, options: CredentialOptions) -> CredentialSource:
        if not isinstance(options, OAuth2Options):
            return FileCredential(options)
        place = split_url(options.token_url).place
        return AccessTokens(place, options.header, partial(fetch_token, options, self._sender), time.monotonic)
