"""SIPp as a phone: one process per scenario, its messages read back from its own log.

SIPp 3.6 does UDP, TCP and MD5 here; it sends the digest `uri` of the address that it sends to, not of the Request-URI.
"""

from __future__ import annotations

import csv
import re
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.interop.script import Script
from tests.interop.server import wait_until
from tests.interop.wire import Message

RECEIVE_MS: Final = 12_000
"""A message that takes longer has not come; B's retry after two 491 takes up to eight seconds."""
END_SECONDS: Final = 25.0
_LOGGED: Final = re.compile(rb"^(?:UDP|TCP) message (sent|received) \D*(\d+).*\n\n", re.MULTILINE)


@dataclass(frozen=True)
class Phone:
    """A user and where its phone is."""

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    owner: str = ""
    """Whose credentials it has, when they are not its own user's."""
    transport: str = "udp"

    @property
    def address(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"

    def line(self) -> str:
        """Its line of an injection file."""
        return f"{self.user};[authentication username={self.owner or self.user} password={self.password}]"


@dataclass(frozen=True)
class Statistics:
    ok: int
    failed: int
    retransmissions: int


class SippError(AssertionError):
    """A scenario that failed, with what SIPp says of it."""


class Sipp:
    """A running SIPp. Its owner ends it by `finish` (it makes `calls` calls) or `stop`."""

    def __init__(
        self, directory: Path, server: str, script: Script, phones: list[Phone], calls: int = 1, rate: float = 10.0
    ) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        phone = self._phone = phones[0]
        xml = script.xml()
        if phone.transport != "udp":
            xml = xml.replace("[local_port]>", f"[local_port];transport={phone.transport}>")
        (directory / "scenario.xml").write_text(xml)
        lines = "".join(f"{each.line()}\n" for each in phones)
        users = directory / "users.csv"
        users.touch(mode=0o600)
        users.write_text(f"SEQUENTIAL\n{lines}")
        argv = ["sipp", server, "-sf", "scenario.xml", "-inf", "users.csv", "-i", phone.host, "-p", str(phone.port)]
        # t1: one connection for all calls, to the server; a listening socket of its own beside it.
        argv += ["-t", "t1" if phone.transport == "tcp" else "u1"]
        argv += ["-ci", phone.host, "-nostdin", "-m", str(calls), "-r", f"{rate:g}", "-deadcall_wait", "0"]
        argv += ["-recv_timeout", str(RECEIVE_MS), "-timeout", str(int(END_SECONDS)), "-timeout_error"]
        argv += ["-trace_msg", "-message_file", "messages.log", "-trace_err", "-error_file", "errors.log"]
        argv += ["-trace_stat", "-stf", "statistics.csv", "-fd", "1"]
        with (directory / "screen.log").open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("SIPp listens", lambda: self.ended or is_bound(phone), 5.0)
        except BaseException:
            self.stop()
            raise

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def go_on(self) -> None:
        """Let its call do what stands behind `Script.wait`: a datagram of the call, not through the server."""
        (_, invite), *_ = self.messages()
        lines = (
            f"INFO sip:{self._phone.address} SIP/2.0", f"Via: SIP/2.0/UDP {self._phone.address};branch=z9hG4bK-go-on",
            f"From: {invite.get('To')};tag=go-on", f"To: {invite.get('From')}", f"Call-ID: {invite.get('Call-ID')}",
            "CSeq: 1 INFO", "Max-Forwards: 70", "Content-Length: 0", "", "",
        )  # fmt: skip
        family = socket.AF_INET6 if ":" in self._phone.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto("\r\n".join(lines).encode(), (self._phone.host, self._phone.port))

    def finish(self, seconds: float = END_SECONDS) -> Statistics:
        """Wait for the last call to end. SippError unless all succeeded."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise SippError(f"SIPp did not end\n{self.said()}") from None
        if status != 0:
            raise SippError(f"SIPp ended with {status}\n{self.said()}")
        return self.statistics()

    def stop(self) -> None:
        if not self.ended:
            self.process.kill()
            self.process.wait(5)

    def statistics(self) -> Statistics:
        with (self.directory / "statistics.csv").open(newline="") as lines:
            *_, row = csv.DictReader(lines, delimiter=";")
        return Statistics(int(row["SuccessfulCall(C)"]), int(row["FailedCall(C)"]), int(row["Retransmissions(C)"]))

    def messages(self) -> list[tuple[bool, Message]]:
        """What went over its socket so far, in order: (received, message)."""
        return logged(self.directory / "messages.log")

    def received(self, method: str = "", status: int = 0) -> list[Message]:
        """The requests of a method, or the responses with a status, that came in."""
        return [
            message
            for came, message in self.messages()
            if came and (message.method == method if method else message.status == status)
        ]

    def said(self) -> str:
        """What helps when a scenario failed: its errors, and the start lines that it saw. No credentials."""
        errors = self.directory / "errors.log"
        told = errors.read_text(errors="replace") if errors.exists() else ""
        screen = (self.directory / "screen.log").read_text(errors="replace")
        told = re.sub(r'(response|nonce)="[^"]*"', r'\1="…"', told or ("" if self.messages() else screen[-1500:]))
        ladder = [
            f"{'<-' if came else '->'} {message.start}  {message.get('CSeq')}" for came, message in self.messages()
        ]
        return f"{self.directory.name}:\n" + "\n".join(ladder[-40:]) + f"\n{told[-3000:]}"


def logged(path: Path) -> list[tuple[bool, Message]]:
    """What a message log of SIPp has, in order: (received, message)."""
    data = path.read_bytes() if path.exists() else b""
    seen = []
    for match in _LOGGED.finditer(data):
        message = data[match.end() : match.end() + int(match[2])]
        if len(message) == int(match[2]):  # else SIPp is still writing it
            seen.append((match[1] == b"received", Message.read(message.decode("utf-8", "replace"))))
    return seen


def is_bound(phone: Phone) -> bool:
    """Whether some process listens on this address, without touching it."""
    family = socket.AF_INET6 if ":" in phone.host else socket.AF_INET
    packed = socket.inet_pton(family, phone.host)
    # The kernel prints each four bytes as one number of this machine.
    host = "".join(f"{int.from_bytes(packed[place : place + 4], sys.byteorder):08X}" for place in range(0, len(packed), 4))
    table = Path(f"/proc/net/{phone.transport}{'6' if family == socket.AF_INET6 else ''}")
    return any(line.split()[1] == f"{host}:{phone.port:04X}" for line in table.read_text().splitlines()[1:])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
