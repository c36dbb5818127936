"""docs/reference/settings.md, from the settings themselves."""

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from config.environment import REMOVED
from config.secret_files import FILE_NAMES
from config.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "settings.md"

SECTIONS = {
    "port_org_id": "The agent at Port",
    "streamer_name": "Ingest",
    "control_the_payload_config_path": "Mapping and webhooks",
    "retry_max_attempts": "Retries and limits",
    "worker_slots": "Workers",
    "detailed_logging": "Reports, and what is kept",
    "redis_url": "The installation",
    "notify_urls": "Notifications",
}
"""The first field of each section."""

INTRODUCTION = """\
# Settings

<!-- Written by `make reference` from config/setting_fields.py; do not edit. -->

Every setting is an environment variable; names are case-sensitive. Stronger than a `.env` file, which is looked for in
the working directory and above, then in the program's own folder and above, is the process environment. A `.env` that
is not root's or the program's user's, or that others may write, is not read; nor one in a folder like that. Booleans
accept `true/1/yes/on/t/y` and `false/0/no/off/f/n` in any case. Whatever is wrong is reported in one message, with
exit code 78; `longshore config check` shows what is in effect. All programs of one agent take the same environment.

Secrets may come by file, as Docker and Kubernetes mount them:
FILES
name a file with the value, read at start; newlines at its end do not count. To set a variable and its file is an error.
"""

OTHERS = """\
## Read by libraries

`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` hold for webhooks and the Port API; entries of `NO_PROXY` may be
hosts, domain suffixes, IPv4 networks or URLs. `REQUESTS_CA_BUNDLE`, then `CURL_CA_BUNDLE`, name a PEM bundle that
replaces the assembled one for webhooks and Port; `SSL_CERT_FILE` names that of Kafka. See
[proxies and certificates](../how-to/proxies-and-certificates.md). `FLOWER_...` sets Flower's own options, e.g.
`FLOWER_BASIC_AUTH`. `PORT_AGENT_VERSION` is the version that is logged at start. `GITLAB_URL` and `<group>_<project>`
are read by the built-in mapping.
"""


def page() -> str:
    """The whole page."""
    files = ", ".join(f"`{name}`" for name in sorted(FILE_NAMES))
    lines = [INTRODUCTION.replace("FILES", files)]
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            lines.append(f"\n## {SECTIONS[name]}\n\n| Name | Type | Default | Meaning |\n| --- | --- | --- | --- |\n")
        lines.append(f"| `{name.upper()}` | {kind(field)} | {default(field)} | {meaning(field)} |\n")
    lines.append("\n## Accepted and ignored\n\n")
    lines += [f"- `{name}`: its place was taken by {other}\n" for name, other in REMOVED.items()]
    return "".join([*lines, "\n", OTHERS])


def kind(field: FieldInfo) -> str:
    """The type of a setting in words."""
    plain = _plain(field.annotation)
    if get_origin(plain) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(plain))
    return {bool: "boolean", int: "integer", float: "number", str: "text", Path: "path"}[plain]


def default(field: FieldInfo) -> str:
    """The default as one would write it."""
    if field.default is None or field.default == "":
        return "empty"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def meaning(field: FieldInfo) -> str:
    """The description, with what could be taken for HTML made plain."""
    return (field.description or "").replace("<", "&lt;")


def _plain(annotation: Any) -> Any:
    """An annotation without limits and without None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _plain(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation
