"""The certificate files below a folder, as people and Kubernetes put them there.

Links are followed, hidden folders are looked into (a mounted Secret is a link into one), and a loop of links ends.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from longshore.watched_files import file_version

ENDINGS = (".crt", ".pem", ".cer")

MAX_BYTES = 16_777_216
"""Fifty times the list of all public CAs: no certificate file is larger."""


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A path below the folder: a file to read, or, with a `problem`, why there is nothing to read."""

    path: str
    problem: str = ""


def walk(folder: str) -> Iterator[FolderEntry]:
    """All files below `folder`, and what could not be looked into, sorted by path. A missing folder has none."""
    yield from sorted(_walk(folder, set()), key=lambda entry: entry.path)


def read(path: str) -> bytes:
    """The content of a file. Raises OSError, also for what is no plain file (a pipe would be waited for)."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(None, "not a plain file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(None, f"larger than {MAX_BYTES >> 20} MiB")
    return data


def folder_version(folder: str) -> tuple[object, ...]:
    """Something that is another when a file below `folder` came, went or changed."""
    return tuple((entry, file_version(entry.path)) for entry in walk(folder))


def printable(path: str) -> str:
    """`path` as it can be printed: a name may hold bytes that are no text, and line breaks."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def describe(error: OSError) -> str:
    """What an OSError says, without the path, for a sentence of ours."""
    return (error.strerror or type(error).__name__).lower()


def _walk(folder: str, visited: set[tuple[int, int]]) -> Iterator[FolderEntry]:
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            names = sorted(entry.path for entry in entries)
    except FileNotFoundError:
        return
    except OSError as error:
        yield FolderEntry(folder, describe(error))
        return
    for path in names:
        try:
            is_folder = stat.S_ISDIR(os.stat(path).st_mode)
        except FileNotFoundError:
            yield FolderEntry(path, "a link to nothing")
        except OSError as error:
            yield FolderEntry(path, describe(error))
        else:
            if is_folder:
                yield from _walk(path, visited)
            else:
                yield FolderEntry(path)
