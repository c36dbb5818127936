"""Messages in words, and the texts of URLs, without anything sent."""

from collections import Counter

import pytest

from config.settings import load
from longshore.errors import ConfigProblems
from longshore.ledger.failure_groups import FailureGroups
from longshore.ledger.states import State
from longshore.notification.conditions import Condition
from longshore.notification.kinds import Kind
from longshore.notification.news import News
from longshore.notification.progress import Progress
from longshore.notification.urls import secrets_of, split_urls
from longshore.notification.wording import compose


def test_what_others_named_is_no_markup_and_calls_nobody() -> None:
    """A target's name and an id come from messages and mappings."""
    target, id = "http://<!channel>@here*x*", "r_<https://evil|click>"
    breaker = Condition(Kind.BREAKERS, f"breaker {target}", 0)
    failures = FailureGroups(State.DEAD, Counter({(target, "http_500"): 1}), (id,))
    texts = [
        *compose(News([failures], [breaker], [breaker.name]), "org", "https://flower"),
        *compose(News([failures], [], []), "org", ""),
    ]

    assert not set("<>*@|`!") & set("".join(texts))


def test_a_message_stays_short_however_much_there_is() -> None:
    counts = Counter({(f"http://target-{n}:80", "http_500"): 1000 - n for n in range(500)})
    breakers = [Condition(Kind.BREAKERS, f"breaker http://target-{n}:80", 0) for n in range(500)]
    failures = FailureGroups(State.DEAD, counts, ("r_1",), has_more=True)
    title, body = compose(News([failures], breakers, [each.name for each in breakers]), "org", "")

    assert "more than 375250 dead letters, 500 breakers open" in title
    assert "and 490 more" in body
    assert len(body) < 3000


def test_a_list_of_urls_may_hold_commas_in_a_url() -> None:
    mail, hook = "mailto://a:b@c?to=x@y,z@w", "json://host/p"
    assert [mail, hook, hook] == split_urls(f" {mail}, {hook}\n{hook} ")


def test_what_is_secret_in_a_url_is_masked_and_no_common_word() -> None:
    """Otherwise `services` would be masked in every line."""
    url = "https://hooks.slack.com/services/T1/TIiajkdnlazkcOXrIdevi7a"
    assert [url, "TIiajkdnlazkcOXrIdevi7a"] == list(secrets_of([url]))


def test_repetitions_are_ever_rarer_and_as_rare_as_messages() -> None:
    progress, pauses = Progress(0), []
    for _ in range(7):
        progress = progress.before_sending(0, 300)
        pauses.append(progress.next_ms / 1000)
    assert [15, 30, 60, 120, 240, 300, 300] == pauses
    assert Progress.parse(progress.dump()) == progress
    assert 0 == progress.after_sending(1, 1, {"workers"}, 300).failures


def test_an_empty_list_of_kinds_is_all_of_them() -> None:
    """As `NOTIFY_ON: ${NOTIFY_ON:-}` of a compose file means "not set"."""
    assert load({"NOTIFY_ON": ""}, role=None).notify_on == load({}, role=None).notify_on


def test_the_urls_are_shown_nowhere() -> None:
    url = "json://host/a-token-that-is-long-enough"
    settings = load({"NOTIFY_URLS": url}, role=None)
    assert url not in repr(settings)
    assert "NOTIFY_URLS" not in settings.mapping_env()
    assert url in settings.secrets_to_mask


@pytest.mark.parametrize(
    ("name", "value"),
    [("NOTIFY_URLS", "my-secret-token"), ("NOTIFY_ON", "dead_letters,deaths"), ("FLOWER_PUBLIC_URL", "flower")],
)
def test_a_setting_that_cannot_be_is_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(ConfigProblems) as refusal:
        load({name: value}, role=None)
    assert name in str(refusal.value)
    assert "my-secret-token" not in str(refusal.value)
