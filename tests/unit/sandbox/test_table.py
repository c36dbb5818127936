"""What the sandbox writes: a table where it can be redrawn, lines where it cannot."""

from __future__ import annotations

import io

from rich.console import Console

from longshore.sandbox.case import Case, expect_dead, expect_done, expect_requeue
from longshore.sandbox.embedded_kafka import RecordPosition
from longshore.sandbox.table import Screen, select_rows
from longshore.sandbox.tracker import TrackedMessage


def messages(title: str = "async action run", **fields: object) -> TrackedMessage:
    case = Case(title, b"{}", expect_done(), "r_1")
    message = TrackedMessage(case, RecordPosition("runs", 0, 0))
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def make_screen() -> tuple[Screen, io.StringIO]:
    output = io.StringIO()
    return Screen(Console(file=output)), output


def test_without_a_terminal_each_change_is_one_line() -> None:
    """Nothing is repeated that did not change, and no control codes are written."""
    screen, output = make_screen()
    message = messages(state="claimed")
    screen.show([message, messages("not read yet")], "", show_verdicts=True)
    screen.show([message], "", show_verdicts=True)
    message.state, message.attempts, message.status = "done", 1, "200"
    screen.show([message], "", show_verdicts=True)
    lines = output.getvalue().splitlines()

    assert 2 == len(lines)
    assert lines[0].endswith("claimed   async action run (r_1)")
    assert lines[1].endswith("done      async action run (r_1): attempts 1, HTTP 200")
    assert "\x1b" not in output.getvalue()


def test_the_final_table_marks_what_is_not_as_expected() -> None:
    """Yes, no, and nothing for what has not ended."""
    screen, output = make_screen()
    good = messages("good", id="r_1", state="done", reason="delivered", attempts=1, requests=1, port="IN_PROGRESS")
    bad = messages("bad", id="r_1", state="dead", reason="http_404", attempts=1, requests=1, port="FAILURE")
    screen.close([good, bad, messages("open")], show_verdicts=True)
    rows = [line.rstrip() for line in output.getvalue().splitlines()]

    assert "done in 1, Port IN_PROGRESS" in rows[1]
    assert rows[1].startswith("good")
    assert rows[1].endswith("yes")
    assert rows[2].endswith("no")
    assert "not read" in rows[3]
    assert not rows[3].endswith(("yes", "no"))


def test_eighty_columns_have_room_for_the_verdict() -> None:
    """Titles and ids are cut, states and verdicts are not."""
    output = io.StringIO()
    screen = Screen(Console(file=output, width=80, force_terminal=True, no_color=True))
    long = {"title": "sync node run → not_found", "id": "cl.sandbox.change.log.0.0.1795392108723"}
    screen.close([messages(**long, state="unknown", reason="read_timeout", port="IN_PROGRESS")], show_verdicts=True)
    head, row = output.getvalue().splitlines()

    assert "ok?" in head
    assert "unknown read_timeout" in row
    assert "IN_PROGRESS  no" in row


def test_titles_are_shown_as_they_are() -> None:
    """Brackets are no markup."""
    screen, output = make_screen()
    screen.show([messages("[red]run[/red]", state="waiting")], "", show_verdicts=False)

    assert "[red]run[/red]" in output.getvalue()


def test_a_small_terminal_shows_what_is_under_way_first() -> None:
    """What still moves is worth more than what ended long ago; the order stays."""
    rows = [messages("old", state="done"), messages("open"), messages("late", state="done"), messages("last")]

    assert ["open", "late", "last"] == [message.case.title for message in select_rows(rows, 3)]


def test_differences_name_what_was_found_and_expected() -> None:
    """Each side is compared: ledger, target and Port."""
    message = messages(state="done", attempts=2, requests=3, port="FAILURE")

    assert [
        "2 attempts, expected 1",
        "3 requests at the target, but 2 attempts in the ledger",
        "Port has FAILURE, expected IN_PROGRESS",
    ] == message.differences()


def test_a_dead_letter_is_checked_for_its_reason() -> None:
    """Given up is not enough: for the right reason."""
    case = Case("dead", b"{}", expect_dead("http_404", 1), "r_1")
    message = TrackedMessage(
        case, RecordPosition("runs", 0, 0), state="dead", reason="http_500", attempts=1, port="FAILURE"
    )

    assert ["reason http_500, expected http_404"] == message.differences()


def test_what_was_sent_again_has_the_requests_of_all_its_generations() -> None:
    """Each attempt once, also those before."""
    message = TrackedMessage(
        Case("again", b"{}", expect_requeue(2), "r_1"),
        RecordPosition("runs", 0, 0),
        state="done",
        attempts=1,
        port="FAILURE",
    )
    message.requests = 3
    assert [] == message.differences()
    message.requests = 4
    assert ["4 requests at the target, but 3 attempts in the ledger"] == message.differences()
