"""What was read from files is read again once they change, and never lost."""

import os
from pathlib import Path

import pytest

from longshore.errors import LongshoreError
from longshore.watched_files import WatchedFiles


class Unreadable(LongshoreError):
    """What a reader of these tests raises."""


class Watched:
    """Two files, read as one text."""

    def __init__(self, folder: Path) -> None:
        self.paths = [folder / "a", folder / "b"]
        for path in self.paths:
            path.write_text("old")
        self.reads = 0
        self.failures: list[str] = []
        self.files = WatchedFiles([str(path) for path in self.paths], self.read, self.fail)

    def read(self) -> str:
        self.reads += 1
        texts = [path.read_text() for path in self.paths]
        if "broken" in texts:
            raise Unreadable("it is broken")
        return " ".join(texts)

    def fail(self, error: LongshoreError | OSError) -> None:
        self.failures.append(str(error))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_files_are_read_again_only_once_they_changed(watched: Watched) -> None:
    assert ["old old", "old old"] == [watched.files.get(), watched.files.get()]
    watched.paths[1].write_text("newer")
    assert ["old newer", "old newer"] == [watched.files.get(), watched.files.get()]
    assert 2 == watched.reads


def test_a_link_that_leads_elsewhere_is_a_change(watched: Watched, tmp_path: Path) -> None:
    """Kubernetes replaces a mounted Secret so, even where size and time are the same."""
    other = tmp_path / "other"
    other.write_text("new")
    times = os.stat(watched.paths[0])
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "link").symlink_to(other)
    os.replace(tmp_path / "link", watched.paths[0])

    assert "new old" == watched.files.get()


def test_what_became_readable_is_a_change(watched: Watched) -> None:
    """A file that could not be read is not written again when its rights are mended."""
    watched.files.get()
    watched.paths[0].chmod(0o604)
    watched.files.get()
    assert 2 == watched.reads


def test_a_change_that_keeps_size_and_time_is_one(watched: Watched) -> None:
    times = os.stat(watched.paths[0])
    watched.paths[0].write_text("new")
    os.utime(watched.paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))

    assert "new old" == watched.files.get()


def test_a_broken_change_leaves_the_value_from_before(watched: Watched) -> None:
    """It is said once, and tried again at the next change."""
    watched.paths[0].write_text("broken")
    assert ["old old", "old old"] == [watched.files.get(), watched.files.get()]
    assert ["it is broken"] == watched.failures
    watched.paths[0].unlink()
    assert "old old" == watched.files.get()
    assert 2 == len(watched.failures)
    watched.paths[0].write_text("right")
    assert "right old" == watched.files.get()


def test_what_cannot_be_read_at_first_is_an_error(tmp_path: Path) -> None:
    def read() -> str:
        raise Unreadable

    with pytest.raises(Unreadable):
        WatchedFiles([str(tmp_path / "missing")], read, lambda error: None)
