"""One bundle of trusted certificates: the system's, and those that were mounted for this agent.

Promises that no file can break the bundle, whatever is in it; that whoever reads the bundle while it is replaced sees
the old one or the new one; and that each file that was left out is named with its reason.
"""

import os
import ssl
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from longshore.errors import LongshoreError
from longshore.network import ca_files, private_path
from longshore.network.pem import extract

MODE = 0o644


@dataclass(frozen=True, slots=True)
class BundleSource:
    """A file that was looked at: the certificates taken from it (DER), and in words what was left out."""

    path: str
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    skip_reasons: tuple[str, ...] = ()
    is_ignored: bool = False
    """By its name it is no certificate file: nothing to warn of."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was gathered: from the system's bundle (None: there is none), and from each file of the folder."""

    system: BundleSource | None
    files: tuple[BundleSource, ...]

    @property
    def text(self) -> str:
        """The bundle in PEM; empty when nothing was found at all."""
        sources = [*([self.system] if self.system else []), *self.files]
        return "".join(
            ssl.DER_cert_to_PEM_cert(certificate) for source in sources for certificate in source.certificates
        )

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Path and reason of everything that somebody meant to be trusted and that is not."""
        return [
            (ca_files.printable(source.path), reason)
            for source in self.files
            if not source.is_ignored
            for reason in source.skip_reasons
            if not reason.startswith(REPEATED)
        ]


class BundleUnwritable(LongshoreError):
    """The bundle could not be written to `path`, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"the bundle of trusted certificates cannot be written to {self.path}: {self.reason}"


REPEATED = "in the bundle already"
"""How the reason begins for a certificate that another file gave before."""


def gather(folder: str, systems: Sequence[str]) -> Bundle:
    """All certificates of the first of `systems` that has any, then those of the files below `folder`."""
    origins: dict[bytes, str] = {}
    system = next((source for path in systems if (source := _load_file(path, origins)).certificates), None)
    return Bundle(system, tuple(_load_entry(entry, origins) for entry in ca_files.walk(folder)))


def write(path: Path, text: str) -> None:
    """Put `text` at `path`, whole and at once, unless it is there already. Raises BundleUnwritable.

    The folder is made if it must be. One in which somebody else could replace the bundle is refused.
    """
    try:
        if (problem := private_path.create(path.parent)) is not None:
            raise BundleUnwritable(str(path), f"others could replace it: {problem}")
        data = text.encode("ascii")
        if not _is_current(path, data):
            _replace_file(path, data)
    except OSError as error:
        raise BundleUnwritable(str(path), ca_files.describe(error)) from None


def _is_current(path: Path, data: bytes) -> bool:
    try:
        status = path.lstat()
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid in (0, os.geteuid())
        return is_ours and status.st_mode & 0o777 == MODE and status.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _replace_file(path: Path, data: bytes) -> None:
    # A name of its own for each writer: several programs may start at once.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), MODE)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _load_entry(entry: ca_files.FolderEntry, origins: dict[bytes, str]) -> BundleSource:
    if not entry.path.lower().endswith(ca_files.ENDINGS):
        # A folder that cannot be opened may hold certificates; another file cannot.
        ends = f"its name does not end in {', '.join(ca_files.ENDINGS)}"
        return BundleSource(entry.path, skip_reasons=(entry.problem or ends,), is_ignored=not os.path.isdir(entry.path))
    if entry.problem:
        return BundleSource(entry.path, skip_reasons=(entry.problem,))
    return _load_file(entry.path, origins)


def _load_file(path: str, origins: dict[bytes, str]) -> BundleSource:
    """The file at `path`. `origins` says which file gave which certificate; it is filled in."""
    try:
        entry = extract(ca_files.read(path))
    except OSError as error:
        return BundleSource(path, skip_reasons=(ca_files.describe(error),))
    certificates: list[bytes] = []
    skip_reasons = list(entry.skip_reasons)
    for certificate in entry.certificates:
        if certificate in origins:
            skip_reasons.append(f"{REPEATED}, from {ca_files.printable(origins[certificate])}")
        else:
            origins[certificate] = path
            certificates.append(certificate)
    return BundleSource(path, tuple(certificates), tuple(skip_reasons))
