"""baresip as a phone: one folder and one process each, driven through its ctrl_tcp module.

Frames are netstrings of JSON. It authenticates a re-INVITE in advance with the call's old nonce, and takes a 407 for a
failure unless that says `stale=true`.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import wave
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, Final

from tests.interop.baresip_trace import COMMAND, copy_with_times, messages
from tests.interop.server import NotReached, free_port, wait_until

MODULES: Final = "/usr/lib/baresip/modules"
SPEECH_SECONDS: Final = 30
DISPLAYED: Final = 7
"""Displays in which an old bit rate may stand still."""
_CONFIG: Final = """\
sip_listen {host}:{port}
net_interface {host}
audio_source aufile,{folder}/speech.wav
audio_player aufile,{folder}/heard.wav
ausrc_srate 8000
auplay_srate 8000
rtp_ports {rtp}-{rtp_end}
call_hold_other_calls no
module_path {modules}
module g711.so
module aufile.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app contact.so
module_app debug_cmd.so
module_app menu.so
module_app presence.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
"""
_ACCOUNT: Final = (
    "<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};regint=120;"
    "answermode=manual;audio_codecs=pcmu\n"
)

Event = dict[str, Any]


class Baresip:
    """A running phone; its owner closes it. `events` are those heard so far, oldest first."""

    def __init__(
        self, folder: Path, server: str, user: str, password: str, host: str, transport: str = "udp", ca: Path | None = None,
        modules: Sequence[str] = (), account: str = "", contacts: Sequence[str] = (),
        speech_seconds: int = SPEECH_SECONDS, traced: bool = False,
    ) -> None:  # fmt: skip
        """Over TLS the server's certificate has to be signed by `ca`. `modules`: more of them; `account`: more parameters of
        its account, `;name=value` each; `contacts`: whose presence it watches, users of the server.
        When its speech is over it hangs up. `traced`: its log has all SIP messages, see `ladder`."""
        self.folder = folder
        self.user = user
        self.server = server
        self.events: list[Event] = []
        self._answers: dict[str, Event] = {}
        self._tokens = count(1)
        self._buffer = b""
        folder.mkdir()
        control = free_port(host, socket.SOCK_STREAM)
        self.port = free_port(host, socket.SOCK_DGRAM, socket.SOCK_STREAM, span=2)  # it takes the next one for TLS
        rtp = free_port(host, span=20)
        (folder / "config").write_text(
            _CONFIG.format(
                host=host, port=self.port, folder=folder, rtp=rtp, rtp_end=rtp + 19, modules=MODULES, control=control
            )
        )
        if ca is not None:
            with (folder / "config").open("a") as config:
                config.write(f"sip_cafile {ca}\n")
        with (folder / "config").open("a") as config:
            config.writelines(f"module_app {module}.so\n" for module in modules)
        (folder / "contacts").write_text("".join(f'"{user}" <sip:{user}@{server}>;presence=p2p\n' for user in contacts))
        accounts = folder / "accounts"
        accounts.touch(mode=0o600)
        line = _ACCOUNT.format(user=user, server=server, password=password, transport=transport)
        accounts.write_text(line.replace(";answermode", f"{account};answermode"))
        _write_speech(folder / "speech.wav", speech_seconds)
        self.process = self._start(["baresip", "-f", str(folder)], traced)
        try:
            self._socket = self._connect(host, control)
        except BaseException:
            self._end()
            raise

    def _start(self, argv: list[str], traced: bool) -> subprocess.Popen[bytes]:
        if not traced:
            with (self.folder / "log").open("wb") as log:
                return subprocess.Popen(argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        argv = [*COMMAND, *argv, "-s"]
        made = subprocess.Popen(
            argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert made.stdout is not None, "a pipe"
        Thread(target=copy_with_times, args=(made.stdout, self.folder / "log"), daemon=True).start()
        return made

    def _connect(self, host: str, port: int) -> socket.socket:
        opened: list[socket.socket] = []

        def try_once() -> bool:
            assert self.process.poll() is None, f"baresip ended\n{self.said()}"
            try:
                opened.append(socket.create_connection((host, port), timeout=1))
            except OSError:
                return False
            return True

        wait_until("baresip's control port", try_once)
        opened[0].settimeout(0.02)
        return opened[0]

    # -- verbs -------------------------------------------------------------------------------------------------

    def command(self, verb: str, parameters: str = "", seconds: float = 10.0) -> str:
        """Run a command of its menu; its answer's text. AssertionError when it says no, NotReached when it says nothing."""
        token = f"t{next(self._tokens)}"
        frame = json.dumps({"command": verb, "params": parameters, "token": token}).encode()
        self._socket.sendall(b"%d:%s," % (len(frame), frame))
        self._wait(f"answer to {verb}", lambda: token in self._answers, seconds)
        answer = self._answers.pop(token)
        assert answer.get("ok"), f"{self.user}: {verb}: {answer}"
        return str(answer.get("data") or "")

    def registered(self) -> None:
        """Wait for its own word; the event may have come before anyone listened."""
        wait_until(f"{self.user} registered", self._is_registered)

    def _is_registered(self) -> bool:
        try:
            return "OK" in self.command("reginfo", seconds=3.0)
        except NotReached:
            return False  # what it is asked while it starts it may forget

    def dial(self, user: str) -> None:
        self.command("dial", f"sip:{user}@{self.server}")

    def expect(self, kind: str) -> Event:
        """Wait for an event of this type, and forget it and all before it."""
        self._wait(kind, lambda: any(event.get("type") == kind for event in self.events))
        index = next(index for index, event in enumerate(self.events) if event.get("type") == kind)
        event = self.events[index]
        del self.events[: index + 1]
        return event

    def clear(self) -> None:
        """End what calls it may have, and forget all events."""
        for _ in range(10):
            if "Call debug" not in self.command("callstat"):
                break
            self.command("hangup")
        self.events.clear()

    def hears(self) -> bool:
        """Whether RTP of the other has come in: it says so once per stream."""
        return self.streams_heard() > 0

    def streams_heard(self) -> int:
        """In how many of its calls RTP of the other has come in."""
        return (self.folder / "log").read_text(errors="replace").count("incoming rtp for 'audio' established")

    def flows(self) -> bool:
        """Whether RTP goes both ways now: what its display says of the newest of the bit rates, five times a second. What it
        says is a second old, so that many have to come from now on."""
        seen = len(self._rates())
        self._wait("its display goes on", lambda: len(self._rates()) > seen + DISPLAYED)
        return all(rate != "0" for rate in self._rates()[-1])

    def _rates(self) -> list[tuple[str, str]]:
        return re.findall(r"audio=(\d+)/(\d+) \(bit/s\)", (self.folder / "log").read_text(errors="replace"))

    def close(self) -> None:
        self._socket.close()
        self._end()

    def leave(self) -> None:
        """Say that it shall end; it says goodbye to the server first."""
        if self.process.poll() is None:
            self.process.terminate()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.leave()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(3)

    def said(self) -> str:
        log = (self.folder / "log").read_text(errors="replace")
        text = re.sub(r"\s*\[\d+:\d\d:\d\d\] audio=\S+ \(bit/s\)\s*", "", log)  # its display, five times a second
        return f"{self.folder.name}:\n" + re.sub(r"auth_pass=[^;\s]*", "auth_pass=…", text)[-4000:]

    def ladder(self) -> list[tuple[float, str]]:
        """Of one that is traced: what it sent and heard, when (`time.monotonic`)."""
        return messages((self.folder / "log").read_text(errors="replace"), self.port)

    # -- frames ------------------------------------------------------------------------------------------------

    def _wait(self, what: str, reached: Callable[[], bool], seconds: float = 10.0) -> None:
        def read_on() -> bool:
            self._read()
            return reached()

        wait_until(f"baresip {self.user}: {what}", read_on, seconds)

    def _read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return
        assert data, f"baresip closed its control port\n{self.said()}"
        self._buffer += data
        while found := re.match(rb"(\d+):", self._buffer):
            start, length = found.end(), int(found[1])
            if len(self._buffer) < start + length + 1:
                return
            frame = json.loads(self._buffer[start : start + length])
            self._buffer = self._buffer[start + length + 1 :]
            if frame.get("event"):
                self.events.append(frame)
            else:
                self._answers[str(frame.get("token"))] = frame


def _write_speech(path: Path, seconds: int) -> None:
    """8 kHz mono: a square wave, so that there is something to hear."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((b"\x00\x10" * 10 + b"\x00\xf0" * 10) * (8000 * seconds // 20))
