"""JsSIP phones in one headless Chromium, driven by a process of Node's: `browser.mjs` there, `page.js` in each page."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.interop.server import wait_until

HERE: Final = Path(__file__).resolve().parent
PACKAGES: Final = Path(os.environ.get("BROWSER_PACKAGES", HERE.parents[1] / ".venv" / "browser"))
"""Where `make interop` puts what npm has."""
ANSWER_SECONDS: Final = 30.0
WAIT_SECONDS: Final = 20.0
QUIET_SECONDS: Final = 0.5


@dataclass(frozen=True)
class CallReport:
    """The newest call of a phone as JsSIP and the browser's WebRTC see it."""

    state: str
    status: int
    cause: str
    originator: str
    holds: bool
    held: bool
    ice: str
    dtls: str
    received: int
    sent: int
    call_id: str


def key_hash(certificate: Path) -> str:
    """What Chromium knows a certificate's key by: SHA-256 of its SubjectPublicKeyInfo."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()


class Browser:
    """A running Chromium that takes this certificate; its owner closes it."""

    def __init__(self, directory: Path, certificate: Path) -> None:
        chromium = shutil.which("chromium")
        assert chromium and shutil.which("node"), "not installed: chromium or node (make interop)"
        assert (PACKAGES / "jssip.js").exists(), f"no JsSIP in {PACKAGES} (make interop)"
        # Node looks for a module's packages beside it, so it runs from where they are.
        shutil.copy(HERE / "browser.mjs", PACKAGES / "browser.mjs")
        self.directory = directory
        self._numbers = count(1)
        self._buffer = b""
        scripts = [str(PACKAGES / "jssip.js"), str(HERE / "page.js")]
        with (directory / "browser.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["node", str(PACKAGES / "browser.mjs"), chromium, key_hash(certificate), *scripts],
                cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        try:
            self._read(0)
        except BaseException:
            self.close()
            raise

    def phone(self, url: str, user: str, password: str, domain: str) -> JsSip:
        """A phone in a page of its own, registered."""
        made = JsSip(self, user)
        self.command("open", user)
        made.start(url, password, domain)
        return made

    def command(self, verb: str, page: str, **setup: Any) -> Any:
        number = next(self._numbers)
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"id": number, "verb": verb, "page": page, "setup": setup}).encode() + b"\n")
        self.process.stdin.flush()
        answer = self._read(number)
        assert answer["ok"], f"{page}: {verb}: {answer['error']}"
        return answer.get("data")

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        with suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()

    def said(self) -> str:
        return (self.directory / "browser.log").read_text(errors="replace")[-6000:]

    def _read(self, number: int) -> dict[str, Any]:
        assert self.process.stdout
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"the browser has not answered for {ANSWER_SECONDS:g} s\n{self.said()}")
            read = os.read(self.process.stdout.fileno(), 65536)
            assert read, f"the browser has ended\n{self.said()}"
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        assert answer["id"] == number, answer
        return answer


class JsSip:
    """One phone."""

    def __init__(self, browser: Browser, user: str) -> None:
        self.user = user
        self._browser = browser

    def start(self, url: str, password: str, domain: str) -> None:
        """Register; a page that was loaded again starts anew."""
        self.command("start", url=url, uri=f"sip:{self.user}@{domain}", password=password)
        try:
            wait_until(f"JsSIP {self.user} registered", lambda: self.command("report")["registered"] > 0, WAIT_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.command('report')}") from None

    def command(self, verb: str, **setup: Any) -> Any:
        return self._browser.command(verb, self.user, **setup)

    @property
    def call(self) -> CallReport | None:
        found = self.command("report")["call"]
        return None if found is None else CallReport(**found)

    def becomes(self, what: str, reached: Callable[[CallReport], bool]) -> None:
        last: list[CallReport | None] = []

        def is_so() -> bool:
            last[:] = [self.call]
            return last[0] is not None and reached(last[0])

        try:
            wait_until(f"JsSIP {self.user}: {what}", is_so, WAIT_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last[0] if last else None}") from None

    def state(self, state: str) -> None:
        self.becomes(state, lambda call: call.state == state)

    def _counted(self) -> CallReport:
        call = self.call
        assert call is not None
        return call

    def hears(self) -> None:
        """Wait for RTP of the other, from now on."""
        before = self._counted().received
        self.becomes("hears", lambda call: call.received > before)

    def hears_nothing(self) -> None:
        """Wait until RTP has stopped coming in."""

        def is_still() -> bool:
            before = self._counted().received
            time.sleep(QUIET_SECONDS)
            return self._counted().received == before

        wait_until(f"JsSIP {self.user} hears nothing", is_still, WAIT_SECONDS)
