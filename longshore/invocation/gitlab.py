"""GitLab triggers of the built-in mapping that cannot work, found before GitLab answers them with 404."""

from longshore.invocation import json_text
from longshore.invocation.mapping import MappedRequest, Mapping
from longshore.invocation.stream import get_object


def missing_token(mapping: Mapping, entry: int, text: str, request: MappedRequest) -> str | None:
    """Why the pipeline of the message `text` cannot be triggered: the variable with its trigger token is not set.

    None for every mapping entry that does not take the token as the built-in one does.
    """
    if not mapping.takes_gitlab_token(entry):
        return None
    try:
        message, body = json_text.loads(text), json_text.loads(request.body or "null")
    except json_text.Malformed:  # deeper than a message may be
        return None
    method = get_object(message, "payload", "action", "invocationMethod")
    group, project = method.get("groupName"), method.get("projectName")
    if not isinstance(group, str) or not isinstance(project, str) or not isinstance(body, dict) or body.get("token"):
        return None
    variable = f"{group.replace('/', '_')}_{project}"
    return (
        f"the environment variable {variable} is not set: it must hold the pipeline trigger token of the GitLab "
        f"project {group}/{project}"
    )
