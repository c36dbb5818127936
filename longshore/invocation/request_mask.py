"""The mask of a request: the values that must not come back from its target in logs, reports or history."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from longshore.invocation.decrypted import DecryptedMessage
from longshore.invocation.mapping import MappedRequest
from longshore.invocation.masking import NOTHING, Mask
from longshore.invocation.secret_variables import classify_variables
from longshore.invocation.sensitive_bodies import sensitive_body_values
from longshore.invocation.sensitive_names import credentials, sensitive_parameters
from longshore.invocation.urls import split_url


def build_mask(
    message: DecryptedMessage,
    request: MappedRequest,
    base: Mask = NOTHING,
    variables: Mapping[str, str] | None = None,
) -> Mask:
    """The mask of what must not come back from the target of `request`.

    That is: what `base` masks, decrypted values, the credentials in the request, and the values of the environment's
    `variables` that its mapping reads. A name is only a hint, so a value under a sensitive name is only a guess.
    """
    url = split_url(request.url or "")
    by_name = {
        *sensitive_parameters([*request.headers.items(), *request.query, *parse_qsl(url.query)]),
        *sensitive_body_values(request.body, request.body_format),
    }
    certain, guessed = classify_variables(variables or {}, by_name, f"{url.scheme}://{url.place}".lower())
    sent_credentials = (*credentials(request.headers), unquote((url.login or "").partition(":")[2]))
    return base + Mask((*message.secrets, *sent_credentials, *certain), (*by_name, *guessed))
