"""Other versions of Longshore, as folders from which programs can be started beside those of this one."""

from __future__ import annotations

import io
import itertools
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.fleet import Fleet, Member, Role

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("longshore", "ingest", "tasks", "config")

NEXT_RECORD = """

# The next version: in format 4 something stands in front of the payload, which a reader of format 3 cannot open.
READS = range(1, 5)
WRITES = range(1, 5)
_MARK = b"fourth format:"
_entry_values_before, _sealed_payload_before = entry_values, sealed_payload


def entry_values(entry, format):
    from dataclasses import replace

    return _entry_values_before(replace(entry, payload=_MARK + entry.payload) if format == 4 else entry, format)


def sealed_payload(id, format, stored):
    stored = _sealed_payload_before(id, format, stored)
    if format == 4:
        assert stored.startswith(_MARK)
        return stored[len(_MARK) :]
    return stored
"""
"""Put at the end of longshore/ledger/record.py."""

LAST_FIELDS = "'generation', 1, 'attempts', 0}\n"
NEXT_FIELD = "    if format == '4' then fields[#fields + 1], fields[#fields + 2] = 'bytes', #payload end\n"
"""Put behind `LAST_FIELDS` in accept.lua."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version, in `folder`."""

    name: str
    folder: Path

    def start(self, fleet: Fleet, role: Role) -> Member:
        """A program of this version, as one of `fleet`; it is ready a second or so later."""
        environ = {**fleet.environ, "PYTHONPATH": str(self.folder)}
        names = (f"{role}-{self.name}-{number}" for number in itertools.count(1))
        name = next(name for name in names if name not in {member.name for member in fleet.started})
        member = Member(role, name, fleet.folder, environ)
        fleet.started.append(member)
        return member


def this_version() -> Version:
    """The code under test."""
    return Version("this", ROOT)


def next_version(folder: Path) -> Version:
    """The code under test, with another format of records beside the one it has."""
    folder.mkdir()
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    ledger = folder / "longshore" / "ledger"
    with (ledger / "record.py").open("a") as record:
        record.write(NEXT_RECORD)
    accept = ledger / "scripts" / "accept.lua"
    text = accept.read_text()
    assert text.count(LAST_FIELDS) == 1
    accept.write_text(text.replace(LAST_FIELDS, LAST_FIELDS + NEXT_FIELD))
    return Version("next", folder)


def version_of(commit: str, folder: Path) -> Version | None:
    """The code as it was at `commit`; None if this is no clone, or one without that commit."""
    try:
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit, *PACKAGES], capture_output=True, check=True, timeout=60
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return Version(commit, folder)
