"""PJSIP as a phone: a child process each (`pjsip_child.py`), so that a crash of the native library fails one test only."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.certificates import Issued
from tests.interop.hearing import RATE, is_tone, samples_of
from tests.interop.server import DOMAIN, environment, free_port, wait_until

ANSWER_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 0.2
"""So long without a packet (one comes every 20 ms) is silence."""


class PhoneDied(AssertionError):
    """The child process ended, or no longer answers."""


@dataclass(frozen=True)
class CallReport:
    """What a phone says of a call."""

    state: str
    """`incoming`, `calling`, `early`, `connecting`, `confirmed`, `disconnected`."""
    status: int = 0
    """Of the last response; of a call that ended, why."""
    reason: str = ""
    call_id: str = ""
    media: str = ""
    """`active`, `local hold`, `remote hold`, `none`, `error`; "" before there is any."""
    received: int = 0
    """RTP packets since the last change of the stream."""
    sent: int = 0


class Pjsip:
    """A running phone that registers at once; its owner closes it."""

    def __init__(
        self,
        folder: Path,
        server: str,
        user: str,
        password: str,
        host: str,
        transport: str = "udp",
        timer: int = 0,
        reliable: str = "none",
        ca: Path | None = None,
        shows: Issued | None = None,
        events: bool = False,
    ) -> None:
        """`timer`: the session interval in seconds that it asks for; 0 = it knows no session timers. `reliable`: its
        provisional responses, `none`, `optional` or `mandatory`. Over TLS the server's certificate has to be signed by `ca`,
        and `shows` is its own. `events`: it asks for its messages and publishes its presence."""
        self.folder = folder
        self.user = user
        self.transport = transport
        self.port = free_port(host, socket.SOCK_DGRAM, socket.SOCK_STREAM)
        self._numbers = count(1)
        self._buffer = b""
        folder.mkdir()
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.interop.pjsip_child"],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        setup = {
            "host": host, "port": self.port, "rtp": free_port(host, span=8), "transport": transport, "server": server,
            "domain": DOMAIN, "user": user, "password": password, "timer": timer, "log": str(folder / "log"),
            "heard": str(folder / "heard.wav"),
            "events": events, "reliable": reliable, "ca": "" if ca is None else str(ca),
            "certificate": "" if shows is None else str(shows.certificate), "key": "" if shows is None else str(shows.key),
        }  # fmt: skip
        try:
            self._write(setup)
            self._read(0)
        except BaseException:
            self.close()
            raise

    # -- verbs -------------------------------------------------------------------------------------------------

    def command(self, verb: str, **arguments: Any) -> Any:
        """AssertionError with PJSIP's own words when it refuses; PhoneDied when it does not answer."""
        number = next(self._numbers)
        self._write({"id": number, "verb": verb, **arguments})
        answer = self._read(number)
        assert answer["ok"], f"PJSIP {self.user}: {verb}: {answer['error']}"
        return answer["data"]

    def registered(self, times: int = 1) -> None:
        """Wait until it has been registered that often, and is."""
        wait_until(f"PJSIP {self.user} registered", lambda: self.command("registrations") >= times)
        assert self.command("registration") == 200

    def dial(self, user: str) -> None:
        self.command("dial", uri=f"sip:{user}@{DOMAIN}")

    def calls(self) -> list[CallReport]:
        """All calls of its life, oldest first."""
        return [CallReport(**each) for each in self.command("calls")]

    @property
    def call(self) -> CallReport:
        """The newest one."""
        return self.calls()[-1]

    def becomes(self, what: str, reached: Callable[[CallReport], bool]) -> None:
        """Wait until its newest call is so."""
        wait_until(f"PJSIP {self.user}: {what}", lambda: bool(found := self.calls()) and reached(found[-1]))

    def state(self, state: str) -> None:
        self.becomes(state, lambda call: call.state == state)

    def media(self, media: str) -> None:
        self.becomes(media, lambda call: call.media == media)

    def hears(self) -> None:
        """Wait for RTP of the other, from now on."""
        before = self.call.received
        self.becomes("hears", lambda call: call.received > before)

    def hears_nothing(self) -> None:
        """Wait until RTP has stopped coming in."""
        self._still("hears nothing", lambda call: call.received)

    def says(self) -> None:
        """Wait until it sends RTP, from now on."""
        before = self.call.sent
        self.becomes("says", lambda call: call.sent > before)

    def says_nothing(self) -> None:
        """Wait until it has stopped sending RTP."""
        self._still("says nothing", lambda call: call.sent)

    def hears_tone(self, hertz: int) -> None:
        """Wait until the last half second that it heard was a tone of this pitch."""
        heard = self.folder / "heard.wav"
        wait_until(f"PJSIP {self.user} hears {hertz} Hz", lambda: is_tone(samples_of(heard)[-RATE // 2 :], hertz))

    def _still(self, what: str, counted: Callable[[CallReport], int]) -> None:
        def is_still() -> bool:
            before = counted(self.call)
            time.sleep(QUIET_SECONDS)
            return counted(self.call) == before

        wait_until(f"PJSIP {self.user} {what}", is_still)

    def clear(self) -> None:
        """End what calls it may have."""
        self.command("clear")
        wait_until(f"PJSIP {self.user} is free", lambda: all(call.state == "disconnected" for call in self.calls()))

    def leave(self) -> None:
        """Say that it shall end: at the end of its input it says goodbye to the server."""
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()

    def close(self) -> None:
        """End it; it is killed when it does not leave."""
        assert self.process.stdout
        self.leave()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(3)
        self.process.stdout.close()

    def said(self) -> str:
        texts = [path.read_text(errors="replace") for path in (self.folder / "output", self.folder / "log") if path.exists()]
        return f"{self.folder.name}:\n" + re.sub(r'response="[^"]*"', 'response="…"', "".join(texts))[-4000:]

    # -- lines -------------------------------------------------------------------------------------------------

    def _write(self, asked: dict[str, Any]) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _read(self, number: int) -> dict[str, Any]:
        assert self.process.stdout
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise PhoneDied(f"PJSIP {self.user} has not answered for {ANSWER_SECONDS:g} s\n{self.said()}")
            read = os.read(self.process.stdout.fileno(), 65536)
            if not read:
                raise self._died()
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        assert answer["id"] == number, answer
        return answer

    def _died(self) -> PhoneDied:
        status = self.process.wait(3)
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return PhoneDied(f"PJSIP {self.user} ended with {how}\n{self.said()}")
