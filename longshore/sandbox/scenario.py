"""What the sandbox publishes: the demo's fixed list, and the endless stream."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping

from longshore.sandbox.case import (
    FAILURE,
    IN_PROGRESS,
    SKIPPED,
    SUCCESS,
    Case,
    Expectation,
    expect_dead,
    expect_done,
    expect_requeue,
    expect_unknown,
)
from longshore.sandbox.publisher import action_run, as_text, change_log_event, gitlab_run, node_run, signed, text_of

ATTEMPTS = 4
"""`RETRY_MAX_ATTEMPTS` in the sandbox: what fails for good does so after this many."""
GITLAB_GROUP, GITLAB_PROJECT = "sandbox", "demo"
LIMITED_RATE = 5
"""Starts per second that the mapping gives the target `limited`."""


class Scenario:
    """Cases for targets at `urls` (name → address), signed with `secret`; run ids begin with `prefix`."""

    def __init__(self, urls: Mapping[str, str], secret: str, prefix: str = "demo") -> None:
        self.urls = urls
        self.secret = secret
        self.prefix = prefix
        self._numbers = itertools.count(1)

    def demo(self) -> list[Case]:
        """The fixed list: every kind of invocation, and every way to end."""
        return [
            *self._delayed_runs(),
            *self._requeued_runs(),
            *self._action_runs(),
            *self._special_action_runs(),
            *self._repeated_runs(),
            *self._node_runs(),
            *self._change_log_events(),
            *self._not_for_us(),
        ]

    def stream(self, choice: random.Random, *, polling: bool = False) -> Iterator[Case]:
        """Invocations without end, most of them well-behaved; for `polling`, those that Port's API gives out."""
        common_cases = [
            lambda: self.action("good", expect_done()),
            lambda: self.action("good", expect_done(port=SUCCESS), synchronized=True),
            lambda: self.node("good", expect_done(port=SUCCESS)),
            lambda: self.action("slow", expect_done()),
        ]
        rare_cases = [
            lambda: self.action("flaky", expect_done(3)),
            lambda: self.action("throttling", expect_done(2)),
            lambda: self.action("hanging", expect_unknown("read_timeout")),
            lambda: self.action("dead", expect_dead("connect_refused", ATTEMPTS)),
            lambda: self.action("not_found", expect_dead("http_404", 1)),
            lambda: self.node("error", expect_dead("http_500", ATTEMPTS)),
        ]
        if polling:
            # Nobody else gets what was acknowledged, so Port must hear of it.
            rare_cases.append(lambda: self._not_for_agent(expect_dead("not_for_agent", 0)))
        else:
            common_cases.append(lambda: self.change("good", expect_done(port=None)))
            rare_cases.append(lambda: self.change("flaky", expect_done(3, None)))
            rare_cases += [self._gitlab, self._bad_signature, self._not_for_agent]
        while True:
            yield choice.choice(rare_cases if choice.random() < 0.35 else common_cases)()

    def action(self, target: str, expectation: Expectation, title: str = "", *, synchronized: bool = False) -> Case:
        """An action run for one of the targets."""
        run_id = self._id("r")
        message = action_run(run_id, self.urls[target], synchronized=synchronized, action=f"call_{target}")
        title = title or f"{'sync ' if synchronized else ''}run → {target}"
        return Case(title, as_text(message, self.secret), expectation, run_id)

    def node(self, target: str, expectation: Expectation, *, synchronized: bool = True) -> Case:
        """A workflow node run for one of the targets."""
        run_id = self._id("wfnr")
        message = node_run(run_id, self.urls[target], synchronized=synchronized)
        title = f"{'sync ' if synchronized else ''}node run → {target}"
        return Case(title, as_text(message, self.secret), expectation, run_id)

    def change(self, target: str, expectation: Expectation) -> Case:
        """A change log event for one of the targets."""
        message = change_log_event(self.urls[target], self._id("entity"))
        return Case(f"change → {target}", text_of(message), expectation, change_log=True)

    def _delayed_runs(self) -> list[Case]:
        """What limits, a breaker or a person hold back for a while."""
        return [
            *(self.action("limited", expect_done()) for _ in range(6)),
            *(self.action("flapping", expect_done(None)) for _ in range(4)),
            self.action("paused", expect_done()),
        ]

    def _requeued_runs(self) -> list[Case]:
        """What a person sends again: see `longshore/sandbox/operator_script.py`."""
        return [
            *(self.action("broken", expect_requeue(1)) for _ in range(4)),
            self.action("mute", expect_requeue(1, IN_PROGRESS)),
        ]

    def _action_runs(self) -> list[Case]:
        return [
            self.action("good", expect_done()),
            self.action("good", expect_done(port=SUCCESS), synchronized=True),
            self.action("slow", expect_done()),
            self.action("flaky", expect_done(3, SUCCESS), synchronized=True),
            self.action("throttling", expect_done(2)),
            self.action("drip", expect_done()),
            self.action("hanging", expect_unknown("read_timeout")),
            self.action("hanging", expect_unknown("read_timeout", port=FAILURE), synchronized=True),
            self.action("gateway", expect_unknown("http_502")),
            self.action("dead", expect_dead("connect_refused", ATTEMPTS)),
            self.action("not_found", expect_dead("http_404", 1)),
            self.action("error", expect_dead("http_500", ATTEMPTS), synchronized=True),
        ]

    def _special_action_runs(self) -> list[Case]:
        run_id = self._id("r")
        # Texts and numbers that a careless reader prints differently, so that the signature would no longer fit.
        properties = {"city": "Zürich 🚀", "quote": '"\\\n\x01', "share": 0.5, "big": 2**63}
        message = action_run(run_id, self.urls["good"], synchronized=True, method="PUT", properties=properties)
        return [
            Case("PUT in many scripts", as_text(message, self.secret), expect_done(port=SUCCESS), run_id),
            self._gitlab(),
            self._bad_signature(),
            Case(
                "run id is no text",
                as_text(action_run(17, self.urls["good"]), self.secret),
                expect_dead("malformed", 0, None),
            ),
        ]

    def _repeated_runs(self) -> list[Case]:
        outcome = self.action("good", expect_done(), "twice: the first")
        return [outcome, Case("twice: the copy", outcome.value, Expectation("repeated"), outcome.run_id)]

    def _node_runs(self) -> list[Case]:
        forged = self._id("wfnr")
        return [
            self.node("good", expect_done(port=SUCCESS)),
            self.node("good", expect_done(), synchronized=False),
            self.node("not_found", expect_dead("http_404", 1)),
            Case(
                "forged node run",
                text_of(signed(node_run(forged, self.urls["good"]), "not the secret")),
                expect_dead("bad_signature", 0),
                forged,
            ),
        ]

    def _change_log_events(self) -> list[Case]:
        return [
            self.change("good", expect_done(port=None)),
            self.change("flaky", expect_done(3, None)),
            # The default for change log events is to send again what was never answered.
            self.change("hanging", expect_unknown("read_timeout", ATTEMPTS, None)),
        ]

    def _not_for_us(self) -> list[Case]:
        return [
            self._not_for_agent(),
            Case("not JSON", b'{"payload": ', SKIPPED),
        ]

    def _gitlab(self) -> Case:
        run_id = self._id("r")
        value = as_text(gitlab_run(run_id, GITLAB_GROUP, GITLAB_PROJECT), self.secret)
        return Case("GitLab → good", value, expect_done(), run_id)

    def _bad_signature(self) -> Case:
        run_id = self._id("r")
        value = text_of(signed(action_run(run_id, self.urls["good"]), "not the secret"))
        return Case("forged run", value, expect_dead("bad_signature", 0, None), run_id)

    def _not_for_agent(self, expectation: Expectation = SKIPPED) -> Case:
        run_id = self._id("r")
        value = as_text(action_run(run_id, "", agent=False), self.secret)
        return Case("run for others", value, expectation, run_id)

    def _id(self, kind: str) -> str:
        return f"{kind}_{self.prefix}{next(self._numbers):04}"
