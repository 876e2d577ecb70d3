"""A ladder in plain text from the trace's JSON records: phones, SM and CM as columns, one arrow a message.

Below an arrow stands what an offer or answer changes, or what is wrong with it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from b2bua.sip.dialog_info import DialogInfo, parse_dialog_info
from b2bua.sip.errors import MalformedValue
from b2bua.sip.sdp import parse_streams
from b2bua.trace.hop import read_facts
from b2bua.trace.names import CM, ROLES, SM
from b2bua.trace.rows import Letters, Rounds, Row

MIN_WIDTH: Final = 80
MAX_WIDTH: Final = 110
MAX_COLUMNS: Final = 6
"""More would leave no room for a label; the column that was quiet longest goes to the newcomer."""

_MARGIN: Final = 19
"""What time, call, step and bracket take."""
_NOTE: Final = 16
"""Where notes begin: farther left, so that most fit into one line of 80."""
_LEFT: Final = _MARGIN + 4
"""Where the first column stands."""
_RIGHT: Final = 9
"""What the last column's name may need to its right."""
_CSEQ: Final = re.compile(r"(?im)^cseq\s*:\s*\d+\s+(\S+)")
_EVENT: Final = re.compile(r"(?im)^(?:event|o)\s*:\s*([^\s;]+)")
_EXPIRES_NOW: Final = re.compile(r"(?im)^expires\s*:\s*0+\s*$")


class Ladder:
    """Feed it records in order and print the lines that come back. `width` is 80 to 110.

    Columns are the caller, SM, CM, then whoever else turns up. The head line is drawn again when a column is added, and with
    `addresses`, which stand in place of the names then, when a party has another one.
    """

    def __init__(self, width: int = MAX_WIDTH, addresses: bool = False) -> None:
        self._width = min(max(width, MIN_WIDTH), MAX_WIDTH)
        self._columns: list[str] = []
        self._addresses: dict[str, str] | None = {} if addresses else None
        self._quiet_since: dict[str, float] = {}
        self._letters = Letters()
        self._rounds = Rounds()

    def feed(self, record: Mapping[str, Any]) -> list[str]:
        """The lines for one record that comes while nobody knows what follows: its arrow, above it the head where the columns
        changed, below it the note. A retransmission has an arrow of its own."""
        bracket = ""
        if not record["retransmission"]:
            bracket = self._rounds.mark(record, read_facts(str(record["message"]).encode("utf-8", "replace")))
        return self._draw(record, self._letters.of(record["call"]), bracket, 0)

    def feed_row(self, row: Row) -> list[str]:
        """The same for a message of which all is known that followed: its copies are counted, a round is bracketed from its
        first message on."""
        return self._draw(row.record, row.letter, row.bracket, len(row.copies))

    def _draw(self, record: Mapping[str, Any], letter: str, bracket: str, copies: int) -> list[str]:
        time, source, destination = float(record["time"]), str(record["source"]), str(record["destination"])
        changed = self._seat(source, time)
        changed = self._seat(destination, time) or changed
        changed = self._learn(record) or changed
        lines = ["", self.head()] if changed else []
        step = f"({record['step']})" if record.get("step") else "   "
        margin = f"{clock(time)} {letter} {step}{bracket or ' '}"
        lines.append((margin + self._arrow(record, source, destination, copies)[_MARGIN:]).rstrip())
        return lines + self._note(record)

    def _note(self, record: Mapping[str, Any]) -> list[str]:
        if not record.get("note"):
            return []
        margin = " " * _NOTE
        return textwrap.wrap(str(record["note"]), self._width, initial_indent=margin, subsequent_indent=margin + "  ")

    def head(self) -> str:
        """The names above their columns, or the ends of the addresses that are known."""
        line = [" "] * self._width
        positions = self._positions()
        gap = min((right - left for left, right in pairwise(positions)), default=self._width)
        for name, position in zip(self._columns, positions, strict=True):
            if self._addresses is not None:
                name = self._addresses.get(name, name)
                name = name if len(name) < gap else "…" + name[2 - gap :]
            start = min(max(position - len(name) // 2, 0), self._width - len(name))
            line[start : start + len(name)] = name
        return "".join(line)[: self._width].rstrip()

    # -- columns -----------------------------------------------------------------------------------------------

    def _seat(self, name: str, time: float) -> bool:
        """Give a party a column; whether the columns changed by it."""
        self._quiet_since[name] = time
        if name in self._columns:
            return False
        if not self._columns:
            self._columns = ["", SM, CM]
        if name in ROLES:
            return True
        if not self._columns[0]:
            self._columns[0] = name
        elif len(self._columns) < MAX_COLUMNS:
            self._columns.append(name)
        else:
            phones = [known for known in self._columns if known not in ROLES]
            quietest = min(phones, key=lambda known: self._quiet_since.get(known, 0.0))
            self._columns[self._columns.index(quietest)] = name
        return True

    def _learn(self, record: Mapping[str, Any]) -> bool:
        """Where addresses are shown: whether a party has another one."""
        if self._addresses is None:
            return False
        before = dict(self._addresses)
        for side in ("source", "destination"):
            if address := record.get(f"{side}_address"):
                self._addresses[str(record[side])] = str(address)
        return self._addresses != before

    def _positions(self) -> list[int]:
        gaps = max(len(self._columns) - 1, 1)
        room = self._width - _LEFT - _RIGHT
        return [_LEFT + room * index // gaps for index in range(len(self._columns))]

    # -- one message -------------------------------------------------------------------------------------------

    def _arrow(self, record: Mapping[str, Any], source: str, destination: str, copies: int) -> str:
        positions = self._positions()
        line = [" "] * self._width
        for position in positions:
            line[position] = "|"
        start, end = positions[self._columns.index(source)], positions[self._columns.index(destination)]
        left, right = min(start, end), max(start, end)
        again = bool(record["retransmission"])
        room = right - left - 1
        if room > 0:
            line[left + 1 : right] = shaft(labels(str(record["message"]), copies), room, again, start < end)
        return "".join(line)


def shaft(candidates: Sequence[str], room: int, again: bool, rightwards: bool) -> str:
    """An arrow of that length with the fullest label that fits; `room` is at least 1."""
    drawn = _shaft(candidates, room, again)
    return drawn[:-1] + ">" if rightwards else "<" + drawn[1:]


def clock(seconds: float) -> str:
    """`16:20:31.123`, local time."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S.%f")[:-3]


def printable(text: str) -> str:
    """What a peer wrote, without the signs that a terminal obeys."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in text)


def _shaft(candidates: Sequence[str], room: int, again: bool) -> str:
    """The fullest label that fits, on a line of dashes; on dots for a retransmission."""
    line, prefix = (".", "again ") if again else ("-", "")
    space = max(room - 2, 0)
    fitting = (prefix + text for text in candidates if len(prefix + text) <= space)
    label = next(fitting, (prefix + candidates[-1])[:space])
    spaced = f" {label} " if len(label) + 4 <= room else label
    return spaced.center(room, line)[:room] if label else line * room


def labels(message: str, copies: int = 0) -> list[str]:
    """What may stand on an arrow, the fullest first: `INVITE sdp:sendonly`, `407 INVITE`, `NOTIFY lamp: hold`, with the number
    of times that it was sent where there are copies: `INVITE ×3`."""
    times = f" ×{copies + 1}" if copies else ""
    return [label + times for label in _labels(message)]


def _labels(message: str) -> list[str]:
    head, _, body = message.lstrip("\r\n").partition("\r\n\r\n")
    start = printable(head.partition("\r\n")[0])
    first, _, rest = start.partition(" ")
    found = _CSEQ.search(head)
    method = found.group(1) if found else ""
    direction = _direction(body)
    if first == "SIP/2.0":
        status, _, reason = rest.partition(" ")
        if direction:
            return [f"{status} {reason} sdp:{direction}", f"{status} sdp:{direction}", f"{status} {direction}", status]
        plain = [f"{status} {reason}"] if method in ("INVITE", "ACK") else [f"{status} {reason} ({method})"]
        return [*plain, f"{status} {method}", status]
    if direction:
        return [f"{first} sdp:{direction}", f"{first} {direction}", f"{first[:3]} {direction}", first]
    if method == first and first in ("PUBLISH", "NOTIFY"):
        return [*_lamp_labels(first, head, body), first]
    return [first if first and method == first else "not SIP"]


def _lamp_labels(method: str, head: str, body: str) -> list[str]:
    if not body:
        return [f"{method} expires 0"] if _EXPIRES_NOW.search(head) else []
    try:
        document = parse_dialog_info(body.encode("utf-8", "replace"))
    except MalformedValue:
        event = _EVENT.search(head)  # another package's, or of a list
        return [f"{method} {printable(event[1])}"] if event else []
    state = lamp(document)
    user = document.entity.partition(":")[2].partition("@")[0]
    return [f"{method} {user} lamp: {state}", f"{method} {user} {state}", f"{method} {state}", f"lamp {state}"]


def lamp(document: DialogInfo) -> str:
    """What a lamp shows of a document: hold (this party holds), held (the other does), a dialog's state, or idle."""
    live = [dialog for dialog in document.dialogs if dialog.state != "terminated"]
    if any(dialog.local.rendering == "no" for dialog in live):
        return "hold"
    if any(dialog.remote.rendering == "no" for dialog in live):
        return "held"
    for state in ("confirmed", "early", "proceeding", "trying"):
        if any(dialog.state == state for dialog in live):
            return state
    return "idle"


def _direction(body: str) -> str:
    """The direction of the first live stream; the old hold by address shows as the address (RFC 3264 §8.4)."""
    if not body.startswith("v=0"):
        return ""
    try:
        live = [stream for stream in parse_streams(body.encode("utf-8", "replace")) if stream.port]
    except MalformedValue:
        return ""
    if not live:
        return ""
    nowhere = live[0].direction == "sendrecv" and not live[0].receives
    return live[0].connection if nowhere else live[0].direction
