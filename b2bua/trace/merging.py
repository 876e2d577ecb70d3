"""The traces of several servers as one: by time, clocks corrected, a message that two of them saw as one arrow, legs joined.

A record gets `node`, the names of the servers that saw it. The first server with a Session Manager keeps the names of its
parties; those of another get `@NODE` behind them, as it has an SM, a CM and users of its own. A feature server of its own process
has no parties but SM and CM, which are those of the others.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from b2bua.trace.hop import Facts, read_facts
from b2bua.trace.names import CM, SM

Record = dict[str, Any]

MOST: Final = 50_000
"""Messages of which it is remembered who saw them, and Call-IDs whose calls are known."""
TOGETHER: Final = 2.0
"""Seconds between two sights of one message, clocks corrected: longer no datagram travels."""
_OF_CALLS: Final = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "REFER"))
"""Methods whose Call-ID is a leg."""


class Node:
    """One server, by its place in the list and its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ahead = 0.0
        """Seconds that its clock is ahead of ours."""
        self.role = SM
        """What it calls itself on its own sockets: SM, or CM where a feature server has a process of its own."""

    def sent(self, record: Record) -> bool | None:
        """Whether it sent this message; None for one within it."""
        if record["transport"] == "memory":
            return None
        return bool(record["source"] == self.role)


class _Calls:
    """Names of calls that turn out to be one: each leads to the one that was known first."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        """What somebody calls a call → its name here."""
        self._same: dict[str, str] = {}
        """Name → an older one of the same call."""

    def of(self, key: str, name: str) -> str:
        """The name of what is known by `key`; `name` where that is new."""
        if len(self._known) >= MOST:
            self._known.clear()
            self._same.clear()
        return self.name_of(self._known.setdefault(key, name))

    def name_of(self, name: str) -> str:
        while name in self._same:
            name = self._same[name]
        return name

    def join(self, one: str, other: str) -> str:
        """Both are one call; its name."""
        if one != other:
            names = list(dict.fromkeys(map(self.name_of, self._known.values())))
            first, second = sorted((one, other), key=names.index)
            self._same[second] = first
            return first
        return one


class Merging:
    """Takes records of several nodes and gives them back as one trace. `nodes` in the order in which they were named."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = tuple(nodes)
        self._seen: OrderedDict[tuple[bool, str], deque[tuple[Node, Record]]] = OrderedDict()
        """Whether it was a sender's sight, and the text → sights whose other end is still to come."""
        self._calls = _Calls()

    def take(self, sights: Iterable[tuple[Node, Record]]) -> list[Record]:
        """The new arrows of these sights in the order of their times. One that was handed out before gets its other end
        filled in where it stands."""
        batch = []
        for node, record in sights:
            batch.append((node, record | {"time": record["time"] - node.ahead}))
        batch.sort(key=lambda sight: float(sight[1]["time"]))
        found = [made for node, record in batch if (made := self._take(node, record)) is not None]
        for record in found:  # what joined two calls may have come behind the first of their messages
            if record["call"] is not None:
                record["call"] = self._calls.name_of(record["call"])
        return found

    def _take(self, node: Node, record: Record) -> Record | None:
        facts = read_facts(record["message"].encode("utf-8", "replace"))
        first_call = record["call"]
        self._join(node, record, facts)
        own = node.sent(record)
        other = None if own is None else self._other_end(own, record)
        mine = self._qualified(node, record)
        if other is None:
            mine["node"] = node.name
            if own is not None:
                sights = self._seen.setdefault((own, record["message"]), deque())
                sights.append((node, mine))
                while len(self._seen) > MOST:
                    self._seen.popitem(last=False)
            return mine
        whose, known = other
        if first_call is not None and known["call"] is None:
            known["call"] = mine["call"]
        self._complete(whose, known, node, mine, own is True)
        return None

    def _other_end(self, own: bool, record: Record) -> tuple[Node, Record] | None:
        sights = self._seen.get((not own, record["message"]))
        while sights:
            node, known = sights.popleft()
            if abs(float(record["time"]) - float(known["time"])) <= TOGETHER:
                if not sights:
                    del self._seen[not own, record["message"]]
                return node, known
        return None

    def _complete(self, whose: Node, known: Record, node: Node, mine: Record, mine_sent: bool) -> None:
        """One arrow of two sights: each end under the name that its own server has for itself."""
        end = "source" if mine_sent else "destination"
        known[end] = mine[end]
        if address := mine.get(f"{end}_address"):
            known[f"{end}_address"] = address
        known["node"] = f"{whose.name}+{node.name}" if not mine_sent else f"{node.name}+{whose.name}"
        for key in ("step", "note", "fault"):
            if key in mine and key not in known:
                known[key] = mine[key]
        before = known.get("decisions", [])
        if more := [one for one in mine.get("decisions", ()) if one not in before]:
            known["decisions"] = [*before, *more]

    def _qualified(self, node: Node, record: Record) -> Record:
        if node.role == CM or node is self._first():
            return record
        named = {side: record[side] for side in ("source", "destination")}
        return record | {side: name if ":" in name else f"{name}@{node.name}" for side, name in named.items()}

    def _first(self) -> Node | None:
        """The one whose parties keep their names."""
        return next((node for node in self._nodes if node.role != CM), None)

    def _join(self, node: Node, record: Record, facts: Facts) -> None:
        """A Call-ID that two servers have in their calls is a leg of one call, which has the name that was known first."""
        if record["call"] is None:
            return
        of_call = self._calls.of(f"{node.name} {record['call']}", record["call"])
        if facts.call_id and facts.cseq_method in _OF_CALLS:
            of_call = self._calls.join(of_call, self._calls.of(f"leg {facts.call_id}", record["call"]))
        record["call"] = of_call
