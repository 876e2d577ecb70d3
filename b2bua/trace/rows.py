"""What a view keeps of the trace: a row for each message, its retransmissions folded, its challenge round bracketed.

Bounded: of more than `limit` rows the oldest go, a tenth at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, Final

from b2bua.trace.hop import Facts, read_facts

Record = Mapping[str, Any]

KEPT: Final = 20_000
"""Messages: what a server keeps by default, twice."""
MAX_CALLS: Final = 10_000
"""Calls that keep their letter."""
MAX_ROUNDS: Final = 4_096

OPENED: Final = "┌"
WITHIN: Final = "│"
CLOSED: Final = "└"


class Rounds:
    """The rounds of a challenge: what was asked, 401 or 407, ACK, and the same asked again with credentials."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str, str, str], int] = OrderedDict()
        """Call-ID, method, who asks, who challenges → CSeq challenged."""

    def mark(self, record: Record, facts: Facts) -> str:
        """WITHIN on the challenge and its ACK, CLOSED on the request that comes with credentials, "" elsewhere."""
        source, destination = record["source"], record["destination"]
        if facts.status in (401, 407):
            key = facts.call_id, facts.cseq_method, destination, source
            self._open[key] = facts.cseq
            if len(self._open) > MAX_ROUNDS:
                self._open.popitem(last=False)
            return WITHIN
        if not facts.method:
            return ""
        acknowledges = facts.method == "ACK"
        key = facts.call_id, "INVITE" if acknowledges else facts.method, source, destination
        challenged = self._open.get(key)
        if challenged is None:
            return ""
        if acknowledges:
            return WITHIN if facts.cseq == challenged else ""
        if facts.credentials and facts.cseq > challenged:
            del self._open[key]
            return CLOSED
        return ""


class Letters:
    """Calls are told apart by a letter, which starts again after Z."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}

    def of(self, call: str | None) -> str:
        """A blank outside calls."""
        if call is None:
            return " "
        if call not in self._calls:
            if len(self._calls) >= MAX_CALLS:
                self._calls.clear()
            self._calls[call] = ascii_uppercase[len(self._calls) % len(ascii_uppercase)]
        return self._calls[call]


class Row:
    """One message, or a `gap`: a line of text about the view itself (the server was gone)."""

    __slots__ = ("bracket", "copies", "facts", "gap", "letter", "number", "record")

    def __init__(self, number: int, record: Record, facts: Facts, letter: str, bracket: str = "", gap: str = "") -> None:
        self.number = number
        """From 1, retransmissions counted."""
        self.record = record
        self.facts = facts
        self.letter = letter
        self.bracket = bracket
        self.copies: list[float] = []
        """Times at which it was sent again."""
        self.gap = gap

    @property
    def time(self) -> float:
        return float(self.record["time"])


_Request = tuple[str, int, str, str, str]
"""Call-ID, CSeq number, method, who asks, whom."""
_Copy = tuple[str, str, str]
"""Source, destination and text."""

_MAX_COPIES: Final = 1_000
"""Times kept of one message's retransmissions."""


class Rows:
    """The rows of one view, oldest first, in `all`."""

    def __init__(self, limit: int = KEPT) -> None:
        self.all: list[Row] = []
        self.last_time = 0.0
        """Of the newest message, a folded one included."""
        self.received = 0
        self._limit = limit
        self._letters = Letters()
        self._rounds = Rounds()
        self._first: dict[_Copy, Row] = {}
        self._requests: dict[_Request, Row] = {}

    def take(self, record: Record) -> Row | None:
        """The new row, or None where a retransmission was folded into the row of the first copy."""
        self.received += 1
        self.last_time = max(self.last_time, float(record["time"]))
        copy = record["source"], record["destination"], record["message"]
        if record["retransmission"]:
            first = self._first.get(copy)
            if first is not None:
                if len(first.copies) < _MAX_COPIES:
                    first.copies.append(float(record["time"]))
                return None
        facts = read_facts(record["message"].encode("utf-8", "replace"))
        row = Row(self.received, record, facts, self._letters.of(record["call"]))
        self._first[copy] = row
        if not record["retransmission"]:
            self._bracket(row)
        self.all.append(row)
        return row

    def gap(self, text: str) -> Row:
        """A line about the view itself."""
        nothing: Record = {"time": self.last_time, "source": "", "destination": "", "call": None,
                           "retransmission": False, "message": ""}  # fmt: skip
        row = Row(self.received, nothing, Facts(), " ", gap=text)
        self.all.append(row)
        return row

    def trim(self) -> bool:
        """Let the oldest go where there are too many; whether any went."""
        if len(self.all) <= self._limit + self._limit // 10:
            return False
        del self.all[: len(self.all) - self._limit]
        kept = set(map(id, self.all))
        self._first = {copy: row for copy, row in self._first.items() if id(row) in kept}
        self._requests = {request: row for request, row in self._requests.items() if id(row) in kept}
        return True

    def clear(self) -> None:
        self.all.clear()
        self._first.clear()
        self._requests.clear()

    def _bracket(self, row: Row) -> None:
        facts, source, destination = row.facts, row.record["source"], row.record["destination"]
        row.bracket = self._rounds.mark(row.record, facts)
        if facts.method:
            self._requests[facts.call_id, facts.cseq, facts.method, source, destination] = row
        elif row.bracket == WITHIN:
            asked = self._requests.get((facts.call_id, facts.cseq, facts.cseq_method, destination, source))
            if asked is not None and not asked.bracket:
                asked.bracket = OPENED
