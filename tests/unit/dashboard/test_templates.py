"""Our tabs stand in Flower's own templates, and nothing in a text gets past the escaping."""

from importlib import metadata

import pytest

from longshore.dashboard import templates
from longshore.dashboard.templates import INSERTIONS, OURS, TABS, ForeignFlower, Loader, extended


def test_flower_is_the_version_whose_files_we_know() -> None:
    """Its templates, classes and helpers are no public interface."""
    assert metadata.version("flower").startswith("2.2.")


@pytest.mark.parametrize("name", sorted(INSERTIONS))
def test_every_anchor_is_in_flowers_file_exactly_once(name: str) -> None:
    """Otherwise Flower would not start, and say so."""
    source = (templates.FLOWERS / name).read_text("utf-8")

    assert [1] * len(INSERTIONS[name]) == [source.count(anchor) for anchor, _ in INSERTIONS[name]]


def test_the_tabs_are_inserted_and_those_that_lead_somewhere_stay() -> None:
    """Not a copy: what Flower has in its bar is there too."""
    bar = extended("navbar.html")

    assert all(f">{label}</a>" in bar for label in ("Workers", "Tasks", *(label for _, label in TABS)))
    assert "broker" not in bar.lower()
    assert 1 == bar.count("ms-lg-auto")


def test_another_flower_is_refused_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named: the file, and what to install."""
    monkeypatch.setitem(INSERTIONS, "navbar.html", (("nowhere", ""),))

    with pytest.raises(ForeignFlower, match=r"navbar.html .* install flower==2.2"):
        Loader()


@pytest.mark.parametrize("name", sorted(path.name for path in OURS.iterdir()))
def test_our_templates_compile_and_never_switch_escaping_off(name: str) -> None:
    """Payloads, responses and reasons are hostile."""
    source = (OURS / name).read_text("utf-8")

    Loader().load(name)
    assert "raw" not in source.split()
    assert "autoescape" not in source


def test_what_a_template_shows_is_escaped() -> None:
    """By the loader's default."""
    assert "xhtml_escape" == Loader().autoescape
