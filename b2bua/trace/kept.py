"""The trace on its way to a file and back: entries to rows, redacted, and rows to a recorder that is read like the server's own.

A row has what entry and recorder know of a message: its call by its outside name, and who is behind which address, so that it
reads the same after a restart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from b2bua.sip.flow import HostPort
from b2bua.sip.why import Why, decisions
from b2bua.trace.recorder import LINK, MARK, WHY, Entry, Kept, Recorder, written
from b2bua.trace.redact import redact

Row = tuple[float, str, str, str, str, bytes, str, str, str]
"""As `b2bua.store.trace_file.Row`."""
Name = tuple[str, str, int, int]
Rows = tuple[Sequence[Row], Sequence[Name]]

_CALL_ID: Final = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*(\S+)")


class Tail:
    """What a recorder has that was not handed on yet. `put(make, messages)` takes it and returns at once; False: it was lost."""

    def __init__(self, recorder: Recorder, put: Callable[[Callable[[], Rows], int], bool]) -> None:
        self._recorder = recorder
        self._put = put
        self._last: object = None
        self._known = 0

    def hand_on(self) -> None:
        """To be called more often than the ring turns over; what it forgot meanwhile nobody has."""
        recorder, directory = self._recorder, self._recorder.directory
        new = recorder.since(self._last)
        if not new:
            return
        self._last = new[-1]
        pairs = directory.pairs() if directory.size != self._known else []
        self._known = directory.size
        if not self._put(partial(_rows, recorder, new, pairs), len(new)):
            recorder.dropped += len(new)
            self._known = 0


def _rows(recorder: Recorder, entries: Iterable[Kept], pairs: Iterable[tuple[str, HostPort, bool]]) -> Rows:
    return [_row(recorder, written(entry)) for entry in entries], [
        (name, host, port, int(element)) for name, (host, port), element in pairs
    ]


def _row(recorder: Recorder, entry: Entry) -> Row:
    time, direction, transport, peer, data, call, why = entry
    found = _CALL_ID.search(data) if direction not in (MARK, WHY) else None
    call_id = found[1].decode("utf-8", "replace") if found else ""
    legs = recorder.legs
    leg = legs.call_of(call_id) if call_id else ""
    name = legs.name_of(call) if call else leg
    # The Call-ID of a PUBLISH or NOTIFY is no leg: that of a subscription serves many calls.
    text = data.decode("utf-8", "surrogateescape")
    hidden = redact(text).encode("utf-8", "surrogateescape")
    sentences = json.dumps([redact(one) for one in decisions(why)]) if why else ""
    return time, direction, transport, str(peer[0]), str(peer[1]), hidden, name, call_id if leg else "", sentences


def recorder_of(rows: Sequence[Row], names: Sequence[Name], role: str) -> Recorder:
    """A recorder that holds them: for a `Reader`."""
    recorder = Recorder(max(len(rows), 1), lambda: 0.0, role)
    for name, host, port, element in names:
        (recorder.element if element else recorder.learn)(name, (host, port))
    for row in rows:
        call, call_id = row[6], row[7]
        if call and call_id:
            recorder.join(call, call)
            recorder.join(call, call_id)
    recorder.fill(_entry(row) for row in rows)
    return recorder


def _entry(row: Row) -> Entry:
    time, direction, transport, peer, other, data, call, _, sentences = row
    ends = (peer, other) if direction == LINK else (peer, int(other) if other.isdigit() else 0)
    why: Why | None = None
    for sentence in json.loads(sentences) if sentences else ():
        why = (why, "{}", sentence)
    return time, direction, transport, ends, data, call, why
