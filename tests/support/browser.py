"""A headless Chromium, driven through its DevTools protocol: what a person would do, and what they would see."""

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import urllib.request
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, cast

from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support.programs import PATIENCE_S, eventually

NAMES = ("chromium", "chromium-browser", "google-chrome")
REQUIRE = "LONGSHORE_REQUIRE_BROWSER"
_LARGEST = 100_000_000  # a screenshot, or a page with a megabyte in it


def find() -> str | None:
    """The path of a Chromium, None if this machine has none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab. Every method waits until what it speaks of is there."""

    def __init__(self, program: str, folder: Path) -> None:
        self._log = folder / "chromium.log"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += [f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", "--hide-scrollbars"]
        options += ["--window-size=1280,900", "--no-proxy-server"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, *options, "about:blank"],
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {"HOME": str(folder)},
            )
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self._number = 0
        self._answers: dict[int, Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []
        """What the page logged as an error, dialogs it opened, and exceptions."""
        try:
            self._tab = self._connected(self._tab_url())
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        self._number += 1
        answer = self._answers[self._number] = Future()
        text = json.dumps({"id": self._number, "method": method, "params": parameters})
        self._loop.call_soon_threadsafe(lambda: self._tab.write_message(text))
        found = answer.result(PATIENCE_S)
        assert "error" not in found, f"{method}: {found['error']}"
        return cast(dict[str, Any], found["result"])

    def log_in(self, credentials: str) -> None:
        """From now on every request carries `name:password`."""
        value = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self.send("Network.setExtraHTTPHeaders", headers={"Authorization": value})

    def open(self, url: str) -> None:
        """Goes to `url` and waits until it is there."""
        self.run("window.left = true")
        self.send("Page.navigate", url=url)
        self.until("!window.left && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Waits until a JavaScript expression is true; pages may come and go meanwhile."""
        eventually(lambda: self._is(script), lambda: f"{script} at {self.text()[:2000]}")

    def text(self) -> str:
        """What a person can read on the page."""
        return str(self.run("document.body.innerText"))

    def reads(self, text: str) -> None:
        """Waits until the page says `text`."""
        self.until(f"document.body && document.body.innerText.includes({json.dumps(text)})")

    def click(self, selector: str) -> None:
        """Clicks in the middle of an element, as a mouse does."""
        self.until(f"!!document.querySelector({json.dumps(selector)})")
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center', behavior: 'instant'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )  # fmt: skip

    def write(self, selector: str, text: str) -> None:
        """Types `text` into a field."""
        self.until(f"!!document.querySelector({json.dumps(selector)})")
        self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.focus(); e.select(); }})()")
        self.send("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """One key of the keyboard, e.g. `Tab` or `Enter`."""
        keys: dict[str, dict[str, Any]] = {
            "Enter": {"text": "\r", "windowsVirtualKeyCode": 13},
            "Tab": {"windowsVirtualKeyCode": 9},
            " ": {"text": " ", "windowsVirtualKeyCode": 32},
        }
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **keys.get(key, {}))

    def look(self, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Sets the size of the window, and the theme of the machine."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.send("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """What is to be seen, as PNG; `whole` with what one has to scroll for."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def _is(self, script: str) -> bool:
        found = self.send("Runtime.evaluate", expression=f"!!({script})", returnByValue=True)
        return found["result"].get("value") is True

    def _tab_url(self) -> str:
        found: list[str] = []

        def listens() -> bool:
            found[:] = re.findall(r"DevTools listening on ws://([^/]+)/", self._log.read_text())
            return bool(found)

        eventually(listens, self._log.read_text)
        with urllib.request.urlopen(f"http://{found[0]}/json/list", timeout=PATIENCE_S) as answer:
            tabs = json.load(answer)
        return next(str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page")

    def _connected(self, url: str) -> WebSocketClientConnection:
        async def connect() -> WebSocketClientConnection:
            return await websocket_connect(url, max_message_size=_LARGEST)

        return asyncio.run_coroutine_threadsafe(connect(), self._loop).result(PATIENCE_S)

    async def _listen(self) -> None:
        while (text := await self._tab.read_message()) is not None:
            message = json.loads(text)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            else:
                self._hear(message["method"], message["params"])

    def _hear(self, event: str, told: dict[str, Any]) -> None:
        if event == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {told['message']}")
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {told['exceptionDetails']}")
        elif event == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def _leave(self) -> None:
        if hasattr(self, "_tab"):
            self._tab.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
