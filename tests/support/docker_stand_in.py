"""A `docker` for tests on machines without a Docker engine: reads a command line as strictly as Docker does.

`build` looks for the Dockerfile and notes the tag. `run` starts the real `longshore` with exactly the variables that
the command line gives; volumes are folders here. What it cannot be without on this machine (where Port and Kafka are)
comes from the file `surroundings.json` beside it, and replaces what the command line says of it.

Whether the image can be built, and what runs in it, is tested in tests/packaging/test_image.py.
"""

import argparse
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import NoReturn

STATE = "images"
SURROUNDINGS = "surroundings.json"


def install(folder: Path, surroundings: dict[str, str]) -> None:
    """Put it into `folder` (made here), which is to come first on PATH."""
    folder.mkdir()
    (folder / SURROUNDINGS).write_text(json.dumps(surroundings))
    script = folder / "docker"
    # `exec`: a shebang could not name a program in a folder with a space.
    script.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, __file__, str(folder)])} "$@"\n')
    script.chmod(0o755)


def main(arguments: list[str]) -> None:
    """`build` or `run`; anything else is wrong usage."""
    folder, words = Path(arguments[0]), arguments[1:]
    parser = argparse.ArgumentParser("docker", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", allow_abbrev=False)
    build.add_argument("-t", "--tag", required=True)
    build.add_argument("--build-arg", action="append")
    build.add_argument("context", type=Path)
    run = commands.add_parser("run", allow_abbrev=False)
    for flag in ("--rm", "--read-only", "--no-healthcheck"):
        run.add_argument(flag, action="store_true")
    for option in ("--tmpfs", "--cap-drop", "--security-opt"):
        run.add_argument(option, action="append")
    run.add_argument("--stop-timeout", type=int)
    run.add_argument("-e", "--env", action="append", default=[])
    run.add_argument("-v", "--volume", action="append", default=[])
    run.add_argument("image")
    run.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    if given.command == "build":
        (given.context / "Dockerfile").read_bytes()
        with (folder / STATE).open("a") as state:
            print(given.tag, file=state)
        return
    if given.image not in (folder / STATE).read_text().split():
        parser.error(f"no image {given.image}: it was not built")
    _run(folder, given)


def _run(folder: Path, given: argparse.Namespace) -> NoReturn:
    """Become the program that the image runs."""
    environ = dict(each.split("=", 1) if "=" in each else (each, os.environ[each]) for each in given.env)
    for volume in given.volume:
        source, place = volume.split(":")[:2]
        here = Path(source).resolve() if source.startswith((".", "/")) else folder / f"volume-{source}"
        if here.parent == folder:
            here.mkdir(exist_ok=True)
        elif not here.exists():
            raise SystemExit(f"docker: {source} does not exist; Docker would make an empty folder of that name")
        environ = {name: str(here) if value == place else value for name, value in environ.items()}
    places = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LONGSHORE_CA_BUNDLE")}
    surroundings = json.loads((folder / SURROUNDINGS).read_text())
    program = shutil.which("longshore") or "longshore"
    os.execve(program, ["longshore", *(given.words or ["run"])], places | environ | surroundings)


if __name__ == "__main__":
    main(sys.argv[1:])
