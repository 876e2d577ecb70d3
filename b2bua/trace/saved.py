"""A trace from a file in place of a server: records as `--json` prints them, the form of traceSM, or captured packets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from b2bua.trace.captured import messages
from b2bua.trace.feed import News, read_record
from b2bua.trace.hop import read_facts
from b2bua.trace.http_client import TraceError
from b2bua.trace.names import SM
from b2bua.trace.packets import NoCapture, is_capture, packets
from b2bua.trace.recorder import LINK, Entry, Recorder
from b2bua.trace.records import Reader

_NAMES: Final = re.compile(r"^### traceSM name_ip:\s*(.*)$", re.MULTILINE)
_MESSAGE: Final = re.compile(
    r"^(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)[.,](\d{1,6})[^\n]*?(-->|<--)[^\n]*\n"  # day, month, year, time, direction
    r"((?:[ \t]+[^\n]*\n)*)"  # octets, ingress, egress
    r"-{20}\n(.*?)\n-{20}[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_ENDS: Final = re.compile(r"\{ L(\S+?)/R(\S+?)/(\w+)/")
_LENGTH: Final = re.compile(r"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*$")
_SESSION: Final = re.compile(r"(?im)^av-global-session-id\s*:\s*(\S+)")


class SavedTrace:
    """The records of a file, all at once, for whoever reads a server's trace else. TraceError when it holds none."""

    state: Final = "file"

    def __init__(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TraceError(f"{path}: {error.strerror}") from None
        text = "" if is_capture(data) else data.decode("utf-8", "replace")
        if not text:
            self.records = list(_of_capture(path, data))
        elif text.lstrip().startswith("{"):
            self.records = [_record(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        else:
            self.records = list(_of_tracesm(text.replace("\r\n", "\n")))
        if not self.records:
            raise TraceError(f"{path}: neither records as --json prints them nor a file of traceSM, nor a capture with SIP")
        self._given = False

    def take(self) -> list[News]:
        """Everything at the first call, nothing later."""
        given, self._given = self._given, True
        return [] if given else [News(self.records)]

    def stop(self) -> None:
        """There is nothing to stop."""


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        return read_record(line)
    except TraceError:
        raise TraceError(f"{path}: line {number} is no record") from None


def _of_tracesm(text: str) -> Iterator[dict[str, Any]]:
    """Read as a ring of ours is: retransmissions, steps and notes are worked out, legs of one global session joined.

    Whose file it is stands on the left of each pair of addresses: that party is SM here.
    """
    names = _names(text)
    entries: list[Entry] = []
    addresses: list[tuple[str, str]] = []
    recorder = Recorder(max(text.count("SIPMSGT"), 1), lambda: 0.0)
    for found in _MESSAGE.finditer(text):
        data = _wire(found[10])
        ends = _ENDS.search(found[9])
        local, remote, transport = ends.groups() if ends else (SM, "?", "udp")
        peer, inwards = names.get(remote.rpartition(":")[0], remote), found[8] == "-->"
        way = (peer, SM) if inwards else (SM, peer)
        entries.append((_time(found), LINK, transport.lower(), way, data, "", None))
        addresses.append((remote, local) if inwards else (local, remote))
        session = _SESSION.search(found[10])
        if session:
            recorder.join(session[1], read_facts(data).call_id)
    records = (record for record in Reader(recorder).read(entries) if record is not None)
    for (source, destination), record in zip(addresses, records, strict=True):
        yield record | {"source_address": source, "destination_address": destination}


def _of_capture(path: Path, data: bytes) -> Iterator[dict[str, Any]]:
    """The parties are addresses. Read as a ring of ours is; only one Call-ID is known to be one call."""
    if not is_capture(data):
        return
    try:
        found = list(messages(packets(data)))
    except NoCapture as error:
        raise TraceError(f"{path}: {error}") from None
    recorder = Recorder(max(len(found), 1), lambda: 0.0)
    entries: list[Entry] = [(one.time, LINK, one.transport, (one.source, one.destination), one.data, "", None) for one in found]
    yield from (record for record in Reader(recorder).read(entries) if record is not None)


def _names(text: str) -> dict[str, str]:
    """`192.0.2.1->SM1;192.0.2.10->Phone1;`: address → name."""
    line = _NAMES.search(text)
    pairs = (pair.partition("->") for pair in line[1].split(";")) if line else ()
    return {address.strip(): name.strip() for address, _, name in pairs if name.strip()}


def _time(found: re.Match[str]) -> float:
    day, month, year, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        return datetime(year, month, day, hour, minute, second, int(found[7].ljust(6, "0"))).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _wire(message: str) -> bytes:
    """The message with CRLF. What the line ends of its body were is told by Content-Length; the last one is not in the file."""
    head, _, body = message.partition("\n\n")
    start = head.rstrip("\n").replace("\n", "\r\n").encode("utf-8", "replace") + b"\r\n\r\n"
    plain, length = f"{body}\n".encode("utf-8", "replace"), _LENGTH.search(head)
    wanted = int(length[1]) if length else len(plain)
    if len(plain) - 1 <= wanted <= len(plain):
        return start + plain[:wanted]
    return start + plain.replace(b"\n", b"\r\n")[:wanted]
