"""The scripts' headers, their key names and the table of moves say the same as the Python beside them."""

import re
from dataclasses import fields
from typing import Any

import pytest

from longshore.invocation.kinds import Kind
from longshore.invocation.report_kinds import BY_SCRIPTS, ReportKind
from longshore.ledger import record, scripts
from longshore.ledger.entry import AttemptEnd, Claim, Entry
from longshore.ledger.keys import Keys
from longshore.ledger.limits import Limits
from longshore.ledger.states import FINAL_STATES, MOVES, State, lua_table
from longshore.port.reports import by_script
from tests.support.one_claim import attempt_of


@pytest.mark.parametrize("name", scripts.NAMES)
def test_a_script_documents_every_argument_and_its_result(name: str) -> None:
    """A script is a function: its header is the signature."""
    body = scripts.text(name)
    header = "\n".join(line for line in body.splitlines() if line.startswith("--"))
    code = body.replace(header, "")
    documented = {int(n) for n in re.findall(r"^-- ARGV\[(\d+)", header, re.MULTILINE)}

    assert header.startswith(f"-- {name}: ")
    assert "KEYS[1]" in header
    assert "Returns" in header
    assert {int(n) for n in re.findall(r"ARGV\[(\d+)\]", code)} <= documented


def test_every_file_is_a_script_or_a_part_of_one() -> None:
    """A file that is neither would be read by nobody; the checks below go by these two lists."""
    parts = {part.removesuffix("()") for name in scripts.NAMES for part in scripts.uses(name)}

    assert set(scripts.FILES) == {*scripts.NAMES, *parts}
    assert not parts & set(scripts.NAMES)


@pytest.mark.parametrize("name", scripts.FILES)
def test_scripts_use_only_names_that_keys_lists(name: str) -> None:
    """`keys.py` says what each key holds; a name it does not know would be undocumented."""
    keys = Keys("P:")
    known = {getattr(keys, attribute) for attribute in dir(Keys) if isinstance(getattr(Keys, attribute), property)}
    of_one = (keys.invocation, keys.payload, keys.attempts, keys.reports, keys.waiting, keys.lanes, keys.job)
    known |= {make("") for make in (*of_one, keys.first_reports, keys.activity, keys.order)}
    known |= {"P:part:", "P:open:", "P:"}

    used = {"P:" + name for name in re.findall(r"P \.\. '([a-z:_]*)'", scripts.text(name))}
    assert used <= known, used - known


@pytest.mark.parametrize("name", scripts.NAMES)
def test_only_intake_is_refused_while_redis_is_full(name: str) -> None:
    """What ends work or hands it out gives room back, and so must find some."""
    before_anything_else = (
        scripts.assemble(name).removeprefix(scripts.TABLES).startswith("\n" + scripts.text("allow_when_full"))
    )

    assert (name not in ("accept", "audit")) == before_anything_else  # an audit writes nothing at all


def test_the_scripts_read_the_limits_in_the_order_in_which_they_are_packed() -> None:
    """They are a row of numbers without names; `reads` is two of them."""
    clock = scripts.text("clock")
    parameters = re.search(r"local function parse_limits\(([^)]+)\)", clock)
    formats = re.search(r"struct.unpack\('<(d+)'", clock)
    assert parameters is not None
    assert formats is not None
    names = [field.name for field in fields(Limits)]
    at = names.index("reads")

    assert [*names[:at], "first_read", "last_read", *names[at + 1 :]] == re.split(r",\s+", parameters[1])
    assert len(Limits().packed()) == 8 * len(formats[1])


def test_every_state_can_be_reached_and_left() -> None:
    """Dead letters and unknown outcomes leave by requeue, what was delivered only by a replay."""
    assert {after for _, after in MOVES} == set(State) - {State.HELD}
    assert {before for before, _ in MOVES} == set(State)
    assert set(FINAL_STATES) == {State.DONE, State.DEAD, State.UNKNOWN}


def test_the_scripts_check_moves_against_the_same_table() -> None:
    """Python's table is written into each script."""
    assert f" {State.CLAIMED}>{State.BEGUN} " in lua_table()
    assert scripts.assemble("pump").startswith(lua_table())


def test_the_scripts_know_the_kinds_of_reports_by_the_same_table() -> None:
    """Each by its name, and no script spells one: a new kind is a line in Python's table."""
    names = {f"REPORT_{kind.name}": kind.value for kind in ReportKind}
    assert scripts.assemble("finish").startswith(scripts.TABLES)
    assert all(f"{name}" in scripts.TABLES and repr(kind) in scripts.TABLES for name, kind in names.items())

    spelled = {name: set(re.findall(rf"'([{re.escape(''.join(ReportKind))}])'", _code(name))) for name in scripts.FILES}
    assert {"sweep": {"!"}} == {name: kinds for name, kinds in spelled.items() if kinds}  # what ends a range of names
    named = {word for name in scripts.FILES for word in re.findall(r"\bREPORTS?_\w+", scripts.text(name))}
    assert named <= {*re.findall(r"REPORTS?_\w+", scripts.TABLES), "REPORTS_"}


def test_what_scripts_write_is_put_into_words() -> None:
    """They write a kind and a reason code; the sender has words for each such kind, and for no other."""
    texts = {ReportKind.WAITING: "pace 3 0.5 1767225600000"}
    for kind in ReportKind:
        if kind in BY_SCRIPTS:
            assert by_script(kind, texts.get(kind, "worker_lost"), Kind.ACTION_RUN, True, "all died")
        else:
            with pytest.raises(ValueError, match=kind.name):
                by_script(kind, "", Kind.ACTION_RUN, True, "all died")


def _code(name: str) -> str:
    return re.sub(r"--.*", "", scripts.text(name))


@pytest.mark.parametrize("name", scripts.NAMES)
def test_a_script_names_its_arguments_as_its_header_does(name: str) -> None:
    """They are a row of values without names: whoever inserts one moves all behind it."""
    body = scripts.text(name)
    documented = {int(n): word for n, word in re.findall(r"^-- ARGV\[(\d+)\]\s+(\w+)", body, re.MULTILINE)}

    for names, first, last in re.findall(r"^local ([\w, ]+) = unpack\(ARGV, (\d+), (\d+)\)$", body, re.MULTILINE):
        assert names.split(", ") == [documented[n] for n in range(int(first), int(last) + 1)]
    for names, values in re.findall(r"^local ([\w, ]+) = (ARGV\[\d+\](?:, ARGV\[\d+\])*)$", body, re.MULTILINE):
        assert names.split(", ") == [documented[int(n)] for n in re.findall(r"\d+", values)]


def test_accept_reads_an_entry_in_the_order_in_which_it_is_written() -> None:
    """A row of values without names, too."""
    body = scripts.text("accept")
    names = re.search(r"local (id,[\w,\s]+) = entry_at\(at\)", body)
    assert names is not None
    assert list(record.ENTRY_FIELDS) == re.split(r",\s+", names[1])
    assert f"ENTRY_SIZE = 7, {len(record.ENTRY_FIELDS)}\n" in body
    assert f"ORDER = {record.ENTRY_FIELDS.index('order')} " in body

    values: dict[str, Any] = {name: f"{name}!" for name in record.ENTRY_FIELDS}
    values |= {
        "kind": Kind.NODE_RUN,
        "synchronized": True,
        "published_ms": 1,
        "unknown_outcome": "unknown!",
        "verbatim": True,
        "ack_after_ms": 3,
        "reports": (b"Lone", b"Stwo"),
    }
    new = Entry(**{name: values[name] for name in (f.name for f in fields(Entry)) if name in values})
    row = record.entry_values(new, record.VERBATIM_FROM)
    said = dict(zip(record.ENTRY_FIELDS, row, strict=False))

    others = {"kind": b"node_run", "synchronized": "1", "published": 1, "verbatim": "1", "ack_after": 3, "reports": 2}
    assert others == {name: said[name] for name in others}
    assert all(value in (f"{name}!", f"{name}!".encode()) for name, value in said.items() if name not in others)
    assert [b"Lone", b"Stwo"] == row[len(record.ENTRY_FIELDS) :]
    before = dict(zip(record.ENTRY_FIELDS, record.entry_values(new, record.VERBATIM_FROM - 1), strict=False))
    assert {"verbatim"} == {name for name, value in said.items() if before[name] != value}


def test_finish_reads_an_end_in_the_order_in_which_it_is_written() -> None:
    """A row of values without names, for each attempt of a call."""
    body = scripts.text("finish")
    names = re.search(r"local (id,[\w,\s]+) = unpack\(ARGV, at, at \+ END_SIZE - 1\)", body)
    assert names is not None
    assert list(record.END_VALUES) == re.split(r",\s+", names[1])
    assert f"END_SIZE = 3, {len(record.END_VALUES)}\n" in body

    end = AttemptEnd(State.WAITING, "reason!", 4, 3, b"attempt!", (b"Lone", b"Stwo"), "about_target!", "about_lane!")
    row = record.end_values(attempt_of("id!", 1), end)
    said = dict(zip(record.END_VALUES, row, strict=False))
    others = {"token": 1, "result": "waiting", "delay": 3, "status": 4, "clears": "1", "reports": 2}
    assert others == {name: said[name] for name in others}
    assert all(value in (f"{name}!", f"{name}!".encode()) for name, value in said.items() if name not in others)
    assert [b"Lone", b"Stwo"] == row[len(record.END_VALUES) :]


def test_a_claim_has_the_same_values_in_lua_and_python() -> None:
    """A row of values without names, for each claim of an answer."""
    row = re.search(r"in ipairs\(\{(id, token, .+)\}\) do", scripts.text("dispatch"))
    assert row is not None
    names = [re.sub(r"^whole\((\w+)\)$|\.name$| or '\d'$", r"\1", value) for value in row[1].split(", ")]
    assert list(record.CLAIM_VALUES) == names

    numbers = {name: n for n, name in enumerate(record.CLAIM_VALUES)}
    values = [b"i", numbers["token"], b"2", b"t", b"4", b"5", b"6"]
    claim = Claim("i", token=1, start_ms=2, target="t", attempts=4, generation=5, format=6)
    assert (claim, claim) == record.parse_claims(values + values)


@pytest.mark.parametrize("name", scripts.FILES)
def test_scripts_are_no_wider_than_the_python_beside_them(name: str) -> None:
    """Ruff does not read Lua."""
    assert [] == [line for line in scripts.text(name).splitlines() if len(line) > 120]
