"""Flower's templates with our tabs in them: inserted into Flower's own files as they are loaded, never copied.

Flower is pinned to the versions whose files have these anchors; `tests/unit/dashboard` looks for them.
"""

from pathlib import Path

import flower
from tornado.template import BaseLoader, Template

from longshore.dashboard.request_checks import ANONYMOUS
from longshore.errors import LongshoreError
from tasks.celery.names import DELIVER

OURS = Path(__file__).with_name("templates")
FLOWERS = Path(flower.__file__).with_name("templates")

_TAB = """
        <li class="nav-item">
          <a class="nav-link{{% if active_tab == '{name}' %}} active{{% end %}}"
            href="{{{{ reverse_url('longshore-{name}') }}}}"
            {{% if active_tab == '{name}' %}}aria-current="page"{{% end %}}>{label}</a>
        </li>"""

FIRST_TAB = ("overview", "Overview")
TABS = (("dead-letters", "Dead letters"), ("targets", "Targets"), ("jobs", "Jobs"))


def _tabs(*names_and_labels: tuple[str, str]) -> str:
    return "".join(_TAB.format(name=name, label=label) for name, label in names_and_labels)


_FIND = """<form class="longshore-search ms-lg-auto" action="{{ reverse_url('longshore-search') }}" role="search">
        <input class="form-control form-control-sm" type="search" name="id" required maxlength="1000"
          placeholder="Run id" aria-label="Find an invocation by its run id">
      </form>

      """

_USER = f"""
        {{% if current_user and current_user.name != '{ANONYMOUS}' %}}
        <li class="nav-item">
          <span class="navbar-text longshore-user" title="{{{{ current_user }}}}"><span>{{{{ current_user }}}}</span> \
({{{{ current_user.role.value }}}})</span>
        </li>
        {{% end %}}"""

_LINK = f"""
      {{% if (task.name or '').split(' ')[0] == '{DELIVER}' %}}
      <a class="btn btn-outline-primary" href="{{{{ reverse_url('longshore-invocation', task.uuid) }}}}">Invocation</a>
      {{% end %}}"""

_STYLE = """
    <link href="{{ reverse_url('longshore-static', 'longshore.css') }}" rel="stylesheet">"""

_INLINE_SCRIPT = """<script type="text/javascript">
  var autorefresh = {{ autorefresh }};
</script>"""
_SCRIPT = """<script data-refresh="{{ autorefresh }}"
  src="{{ reverse_url('longshore-static', 'autorefresh.js') }}"></script>"""

_BROKER_TAB = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'broker' %} active{% end %}"
            href="{{ reverse_url('broker') }}"
            {% if active_tab == 'broker' %}aria-current="page"{% end %}>Broker</a>
        </li>"""
"""Flower's page on the broker knows kombu's own transports only. Ours never holds what waits: our tabs show that."""
_FIRST_LIST = '<ul class="app-nav navbar-nav">'
_SECOND_LIST = '<ul class="app-nav app-nav-secondary navbar-nav ms-lg-auto">'
_TASK_ACTIONS = '<div class="detail-actions">'
_FLOWER_STYLE = '<link href="{{ static_url(\'css/flower.css\') }}" rel="stylesheet">'

INSERTIONS = {
    "navbar.html": (
        (_FIRST_LIST, _FIRST_LIST + _tabs(FIRST_TAB)),
        (_BROKER_TAB, _tabs(*TABS)),
        (_SECOND_LIST, _FIND + _SECOND_LIST.replace(" ms-lg-auto", "") + _USER),
    ),
    "task.html": ((_TASK_ACTIONS, _TASK_ACTIONS + _LINK),),
    "workers.html": ((_INLINE_SCRIPT, _SCRIPT),),  # our policy lets no script run that stands in a page
    "base.html": ((_FLOWER_STYLE, _FLOWER_STYLE + _STYLE),),
}
"""Template of Flower → anchors in it, and what takes their place."""


class ForeignFlower(LongshoreError):
    """The installed Flower's files are not those we know how to extend."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = file

    def __str__(self) -> str:
        return f"the {self.file} of the installed Flower is not that of Flower 2.2: install flower==2.2.*"


def extended(name: str) -> str:
    """Flower's template `name` with our parts in it; raises `ForeignFlower` if an anchor is not there exactly once."""
    source = (FLOWERS / name).read_text("utf-8")
    for anchor, replacement in INSERTIONS.get(name, ()):
        if source.count(anchor) != 1:
            raise ForeignFlower(name)
        source = source.replace(anchor, replacement)
    return source


class Loader(BaseLoader):
    """Looks among our templates first, then among Flower's. Everything is escaped unless a template says raw."""

    def __init__(self) -> None:
        super().__init__(autoescape="xhtml_escape")
        for name in INSERTIONS:
            extended(name)  # found out at start, not by whoever opens the page

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Names are the same whoever includes them: there are no folders."""
        return name

    def _create_template(self, name: str) -> Template:
        ours = OURS / name
        source = ours.read_text("utf-8") if ours.is_file() else extended(name)
        return Template(source, name=name, loader=self)
