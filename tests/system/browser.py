# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, led over two pipes (its --remote-debugging-pipe): what a person would
see, and what the browser complained about or asked for."""
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import HarnessError, LIMIT_S, child_env

# Starting a browser on a busy machine takes long; nothing is asserted on it.
BROWSER_LIMIT_S = 3 * LIMIT_S


def chromium():
    """The path of the browser. Its absence is a failure: the set-up installs it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    raise HarnessError("no chromium on this machine: 'make setup' installs the package chromium, "
                       "which the tests of the page need")


def _to_3_and_4(to_read, to_write):
    """In the child: the browser reads commands from descriptor 3 and writes to 4."""
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (to_read, to_write)]
    os.dup2(high[0], 3)
    os.dup2(high[1], 4)


class Browser:
    """One page in a browser of its own.

    requests: the URLs that the page asked for. complaints: console messages of level warning or
    error, exceptions, and violations of the policy.
    """

    def __init__(self, width=1280, height=900, scheme="light"):
        self._size, self._scheme = (width, height), scheme
        self.requests, self.complaints = [], []
        self._number, self._replies, self._input = 0, {}, b""
        self._loaded = False

    def __enter__(self):
        self._folder = tempfile.mkdtemp(prefix="qkd-browser-")
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--remote-debugging-pipe", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update",
                   "--disable-default-apps", "--disable-extensions", "--disable-sync",
                   "--no-proxy-server", "--hide-scrollbars", "--lang=en-GB",
                   f"--user-data-dir={self._folder}", "about:blank"]
        self._process = subprocess.Popen(
            command, pass_fds=(3, 4), preexec_fn=lambda: _to_3_and_4(to_read, to_write),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env=child_env(HOME=self._folder, TMPDIR=self._folder, TZ="UTC"))
        os.close(to_read)
        os.close(to_write)
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        for _ in range(50):  # its children may write until they are gone
            shutil.rmtree(self._folder, ignore_errors=True)
            if not os.path.exists(self._folder):
                break
            time.sleep(0.05)

    def _attach(self):
        self._session = None
        targets = self.tell("Target.getTargets")["targetInfos"]
        page = next(one for one in targets if one["type"] == "page")
        self._session = self.tell("Target.attachToTarget", targetId=page["targetId"],
                                  flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.tell(f"{domain}.enable")
        self.look_like(*self._size, self._scheme)

    def look_like(self, width, height, scheme):
        """The size of the window in CSS pixels, and light or dark."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.tell("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def tell(self, method, **parameters):
        """One command of the DevTools protocol; its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + BROWSER_LIMIT_S
        while self._number not in self._replies:
            self._receive(end, method)
        reply = self._replies.pop(self._number)
        if "error" in reply:
            raise HarnessError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    def _receive(self, end, what):
        left = end - time.monotonic()
        if left <= 0 or not select.select([self._read], [], [], left)[0]:
            raise HarnessError(f"the browser does not answer to {what}")
        octets = os.read(self._read, 1 << 20)
        if not octets:
            raise HarnessError(f"the browser ended before it answered to {what}")
        *messages, self._input = (self._input + octets).split(b"\0")
        for message in messages:
            self._take(json.loads(message))

    def _take(self, message):
        parameters = message.get("params", {})
        if "id" in message:
            self._replies[message["id"]] = message
        elif message["method"] == "Page.loadEventFired":
            self._loaded = True
        elif message["method"] == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif message["method"] == "Runtime.consoleAPICalled":
            if parameters["type"] in ("warning", "error", "assert"):
                self.complaints.append(str(parameters["args"]))
        elif message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif message["method"] == "Log.entryAdded":
            if parameters["entry"]["level"] in ("warning", "error"):
                self.complaints.append(parameters["entry"]["text"])

    def open(self, url):
        self._loaded = False
        self.tell("Page.navigate", url=url)
        end = time.monotonic() + BROWSER_LIMIT_S
        while not self._loaded:
            self._receive(end, f"loading {url}")

    def value(self, expression):
        """What an expression of JavaScript is in the page, outside of the page's own policy."""
        result = self.tell("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise HarnessError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def text(self):
        """All that can be read."""
        return self.value("document.body.innerText")

    def wait_for(self, expression, what=None):
        """The first true value of an expression."""
        end = time.monotonic() + BROWSER_LIMIT_S
        while True:
            value = self.value(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise HarnessError(f"{what or expression}: not within {BROWSER_LIMIT_S} s; the "
                                   f"page says {self.text()!r}")
            time.sleep(0.05)

    def press(self, key, code=None):
        """A key of the keyboard, down and up."""
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            self.tell("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode=codes[key],
                      **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}))

    def screenshot(self, path, whole=False):
        """A PNG of what is seen, or of the whole page."""
        options = {"captureBeyondViewport": True} if whole else {}
        octets = self.tell("Page.captureScreenshot", format="png", **options)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(octets))
