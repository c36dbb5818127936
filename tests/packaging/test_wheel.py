"""The wheel holds what it should, and works away from the repository."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.programs import SETTINGS, bare

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"config", "ingest", "longshore", "tasks"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without fetching anything."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, str(ROOT)], check=True)
    (built,) = folder.glob("longshore-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its content, in a folder of its own."""
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_it_holds_the_four_packages_and_nothing_else(unpacked: Path) -> None:
    """`tests` is a common name, and must not land in anybody's site-packages."""
    assert PACKAGES == {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}


def test_every_file_of_the_packages_is_in_it(unpacked: Path) -> None:
    """Lua scripts, the built-in mapping and pages are data that the programs cannot do without."""
    tracked = subprocess.run(["git", "ls-files", *sorted(PACKAGES)], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git clone")

    assert [] == [name for name in tracked.stdout.split() if not (unpacked / name).is_file()]


def test_the_command_works_from_it(unpacked: Path, tmp_path: Path) -> None:
    """Without the repository on the import path."""
    words = "import longshore; print(longshore.__file__); from longshore.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", words, "config", "check"],
        cwd=tmp_path,
        env=bare(SETTINGS) | {"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith(str(unpacked))
    assert "The mapping is built in." in done.stderr


def test_it_names_its_license_and_its_command(unpacked: Path) -> None:
    """What installers and auditors look at."""
    (info,) = unpacked.glob("*.dist-info")

    assert "longshore = longshore.cli.__main__:start" in (info / "entry_points.txt").read_text()
    assert "License-Expression: Apache-2.0" in (info / "METADATA").read_text()
    assert (info / "licenses" / "LICENSE").is_file()
