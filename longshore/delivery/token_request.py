"""The request for an access token by the client credentials grant (RFC 6749, 4.4), and what its answer says.

It goes where deliveries go: the same proxies, trusted CAs, client certificates and egress rules. Redirects are not
followed, as the request holds the client's secret.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

from longshore.delivery.issued_credential import NoToken
from longshore.delivery.outcome import Outcome, Response
from longshore.delivery.request import DEFAULT_HEADERS, SignedRequest
from longshore.delivery.secret_file import read_secret
from longshore.delivery.send import Sender
from longshore.delivery.send_errors import Unsendable
from longshore.delivery.target import origin_of, prepare_url
from longshore.invocation.credentials_section import OAuth2Options
from longshore.invocation.masking import Mask, use_mask
from longshore.invocation.urls import split_url
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

TIMEOUT_S, TOTAL_S = 5.0, 10.0
"""For connecting and for each read, and for all of it: claims wait meanwhile, whose leases last longer."""

DEFAULT_LIFE_S = 300
"""How long a token lives of which the server does not say it."""

MAX_LIFE_S = 86_400 * 365
"""How long at most: servers write numbers that mean "for ever"."""

_MAX_DETAIL_CHARS = 300

_PROBLEMS = {
    "invalid_client": "it does not know the client or its secret: check client_id, client_secret_file and auth",
    "unauthorized_client": "it does not let this client have tokens by the client credentials grant",
    "unsupported_grant_type": "it gives no tokens by the client credentials grant",
    "invalid_scope": "it does not give the client this scope: check scope",
    "invalid_target": "it does not give tokens for this audience: check audience and params",
    "invalid_request": "it misses something in the request: check scope, audience, auth and params",
    "access_denied": "it denies the client this token",
}
"""By error code (RFC 6749, 5.2; RFC 8707, 2), which is looked up here and never quoted."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and the seconds it lives."""

    text: str = field(repr=False)
    life_s: float


def fetch_token(options: OAuth2Options, sender: Sender) -> AccessToken:
    """Ask the token server for a token. Waits for it. Raises NoToken."""
    place = split_url(options.token_url).place
    secret = read_secret(options.client_secret_file)
    mask = Mask((secret,))
    with use_mask(mask):
        try:
            request = _build_request(options, secret)
        except Unsendable as error:
            raise NoToken(place, error.cause) from None
        outcome = sender.fetch(request, TIMEOUT_S, TOTAL_S)
        return read_answer(outcome, place, mask)


def _build_request(options: OAuth2Options, secret: str) -> SignedRequest:
    from oauthlib.oauth2 import BackendApplicationClient  # takes 50 ms, for which a start need not wait

    more = {**dict(options.params), **({"audience": options.audience} if options.audience else {})}
    headers = dict(DEFAULT_HEADERS.values()) | {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    in_body = options.auth == "body"
    if not in_body:
        # Encoded before base64, too (RFC 6749, 2.3.1).
        login = f"{quote_plus(options.client_id)}:{quote_plus(secret)}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    client = BackendApplicationClient(options.client_id)
    content = client.prepare_request_body(
        urlencode(more), options.scope, include_client_id=in_body, client_secret=secret if in_body else None
    ).encode()
    headers["Content-Length"] = str(len(content))
    url = prepare_url(options.token_url)
    return SignedRequest("POST", url, origin_of(url), headers, content)


def read_answer(outcome: Outcome, place: str, mask: Mask) -> AccessToken:
    """The token in the answer of the server at `place`. Raises NoToken; what it quotes is masked."""
    from oauthlib.oauth2 import BackendApplicationClient, MissingTokenError, OAuth2Error

    response = outcome.response
    if outcome.reason == "bad_redirect":
        raise NoToken(place, "it redirects to another place: give that one as token_url")
    if response is None:
        raise NoToken(place, outcome.cause, outcome.retry_after_s)
    try:
        answer = BackendApplicationClient("").parse_request_body_response(response.text)
    except MissingTokenError:  # no refusal either, such as a page of a gateway
        raise NoToken(place, _describe_status(response), outcome.retry_after_s) from None
    except OAuth2Error as error:
        detail = mask.text(str(error.description or ""))[:_MAX_DETAIL_CHARS]
        log.event(events.CREDENTIAL_REFUSED, host=place, status=response.status, detail=detail)
        problem = _PROBLEMS.get(str(error.error)) or _describe_status(response)
        raise NoToken(place, problem, outcome.retry_after_s) from None
    except Exception:  # whatever the library thinks of what is no answer of a token server
        raise NoToken(place, _describe_status(response), outcome.retry_after_s) from None
    if response.status >= 300:
        raise NoToken(place, _describe_status(response), outcome.retry_after_s)
    return _read_token(answer, place)


def _read_token(answer: dict[str, Any], place: str) -> AccessToken:
    text, kind = answer["access_token"], answer.get("token_type") or "bearer"
    if not isinstance(kind, str) or not kind.lower().startswith("bearer"):
        raise NoToken(place, "its token is no bearer token, and others are not supported")
    if not (isinstance(text, str) and text and text.isascii() and text.isprintable() and " " not in text):
        raise NoToken(place, "its token is none that a header can hold")
    life_s: int = answer.get("expires_in", DEFAULT_LIFE_S)
    return AccessToken(text, float(min(max(1, life_s), MAX_LIFE_S)))


def _describe_status(response: Response) -> str:
    if response.status < 300:
        return "what it answered holds no access token, or not as OAuth 2.0 has it: check token_url"
    hint = ": check token_url, client_id, client_secret_file and auth" if 400 <= response.status < 500 else ""
    return f"it answered {response.status}{hint if response.status not in (408, 429) else ''}"
