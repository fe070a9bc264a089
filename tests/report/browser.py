"""Debian's chromium without a window, driven over the DevTools protocol: what it shows, asks of the network and complains about.

Source: Chrome DevTools Protocol 1.3 (Page, Runtime, Network, Log, Emulation).
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
START_S = 60.0
ANSWER_S = 30.0


def chromium() -> str:
    """The browser's path; the test is skipped, with a reason, where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no chromium here (Debian: apt-get install chromium)")


class Page:
    """One tab. `requests`: every address it asked for; `complaints`: console errors, exceptions, dialogs and log entries."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._loaded = False
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, awaited; events that come before its answer are noted."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=ANSWER_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(params["args"]))
            case "Page.javascriptDialogOpening":
                self.complaints.append(f"dialog: {params['message']}")
                self._socket.send(json.dumps({"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}))
            case "Log.entryAdded":
                self.complaints.append(str(params["entry"]))

    def open(self, path: Path, *, width: int = 1280, scheme: str = "light", fragment: str = "") -> None:
        """Load a file and wait until it is loaded."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._loaded = False
        self.send("Page.navigate", url=path.resolve().as_uri() + fragment)
        while not self._loaded:
            self._note(json.loads(self._socket.recv(timeout=ANSWER_S)))

    def eval(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, height: int | None = None) -> bytes:
        """A PNG of the whole page, or of its first `height` pixels."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(height or size["height"], size["height"]), "scale": 1}
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))
        return path.read_bytes()

    def pdf(self) -> bytes:
        """The page as it would be printed on A4."""
        data = self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True, printBackground=True)["data"]
        return base64.b64decode(data)


@contextlib.contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """One browser with one page; its processes are gone afterwards."""
    command = [chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        with connect(_page_address(profile, process), max_size=None, open_timeout=START_S) as socket:
            yield Page(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=START_S)


def _page_address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The WebSocket of the first tab, as soon as the browser says where it listens."""
    from urllib.request import ProxyHandler, build_opener

    port_file = profile / "DevToolsActivePort"
    deadline_s = time.monotonic() + START_S
    while not (port_file.exists() and port_file.read_text(encoding="ascii").count("\n")):
        assert process.poll() is None, "chromium ended at once; see chromium.log"
        assert time.monotonic() < deadline_s, f"chromium did not say where it listens within {START_S} s"
        time.sleep(0.05)
    port = int(port_file.read_text(encoding="ascii").split()[0])
    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/json/list", timeout=ANSWER_S) as answer:
        tabs = json.loads(answer.read())
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
