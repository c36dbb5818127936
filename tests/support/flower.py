"""`longshore flower` as a process, and asking it over HTTP."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import requests

from longshore.runtime.embedded_redis import free_port
from tests.support.programs import Program, eventually

_numbers = itertools.count()


class Flower:
    """One that answers, on a port of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        port = environ.get("FLOWER_PORT") or free_port()
        home = folder / f"flower-{next(_numbers)}"
        home.mkdir()
        for file in folder.glob("flowerconfig.py"):
            shutil.copy(file, home)
        self._program = Program("flower", folder=home, **({"FLOWER_PORT": str(port)} | environ))
        self.home = home
        """Its working directory, with the `flowerconfig.py` that lay in `folder`."""
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False
        self.answers(f"{'/' + environ['FLOWER_URL_PREFIX'] if 'FLOWER_URL_PREFIX' in environ else ''}/healthcheck")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._program.process.pid

    def answers(self, path: str) -> None:
        """Waits until `path` is there."""

        def is_there() -> bool:
            assert self._program.process.poll() is None, self.log()
            try:
                return self.get(path).ok
            except requests.ConnectionError:
                return False

        eventually(is_there, f"{path} of Flower")

    def get(self, path: str, **more: Any) -> requests.Response:
        """Without cookies, like every request here; redirects are not followed."""
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        """The same."""
        return self.ask("POST", path, **more)

    def log(self) -> str:
        """What it has said so far."""
        return self._program.log()

    def close(self) -> None:
        """Ends it."""
        self._session.close()
        self._program.close()

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """With any method."""
        self._session.cookies.clear()
        return self._session.request(method, self.url + path, allow_redirects=False, timeout=60, **more)
