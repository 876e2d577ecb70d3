"""The newest records of the file, searched: those of the files that were moved away from its place, too, `.1` the newest of them.

What is read is bounded, from the newest line down; a line that is being written is none yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

LOOKED_THROUGH: Final = 16 * 1024 * 1024
"""Bytes in one search: some 20,000 records."""
_GRAIN: Final = 1.0
"""Seconds by which the time of a file may be behind that of its last line."""


class Found(NamedTuple):
    """Whole lines as they stand in the files, the oldest first. `more`: there may be older ones that match."""

    lines: list[bytes]
    more: bool


class _Side(msgspec.Struct):
    party: str
    call_id: str


class _Forwarding(msgspec.Struct):
    by: str
    to: list[str]


class _Transfer(msgspec.Struct):
    leaves: str
    comes: str


class _Record(msgspec.Struct):
    """What can be asked for; the rest of a line is not read."""

    id: str
    caller: _Side
    callee: _Side
    asked: str
    reached: str | None
    end: str
    forwardings: list[_Forwarding]
    transfers: list[_Transfer]


_DECODER: Final = msgspec.json.Decoder(_Record)


def search(
    path: Path, limit: int, since: float = 0.0, user: str = "", call: str = "", most: int = LOOKED_THROUGH
) -> Found:
    """The newest `limit` that match. `since`: ended then (Unix seconds) or later; `user`: a party, the one that was asked, or one
    of a forwarding or transfer, by name or address; `call`: the call's id, or the Call-ID of a leg. OSError: a file that is
    there cannot be read."""
    found: list[bytes] = []
    for file in _files(path, since):
        whole, cut = _end_of(file, most)
        most -= len(whole)
        for line in reversed(whole.split(b"\n")):
            if not _fits(line, since, user, call):
                continue
            if len(found) == limit:
                return Found(found[::-1], True)
            found.append(line)
        if cut:
            return Found(found[::-1], True)
    return Found(found[::-1], False)


def _files(path: Path, since: float) -> Iterator[BinaryIO]:
    """Open, the newest first, without those that were written last before `since`. One that is moved on meanwhile comes once."""
    seen: set[tuple[int, int]] = set()
    number = 0
    while True:
        try:
            with (path.with_name(f"{path.name}.{number}") if number else path).open("rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_dev, status.st_ino) not in seen and status.st_mtime >= since - _GRAIN:
                    yield file
                seen.add((status.st_dev, status.st_ino))
        except FileNotFoundError:
            if number:
                return
        number += 1


def _end_of(file: BinaryIO, most: int) -> tuple[bytes, bool]:
    """The whole lines among the last bytes, and whether there are others before them."""
    begin = max(os.fstat(file.fileno()).st_size - most, 0)
    file.seek(begin)
    lines = file.read(most).rpartition(b"\n")[0]
    return (lines.partition(b"\n")[2] if begin else lines), begin > 0


def _fits(line: bytes, since: float, user: str, call: str) -> bool:
    try:
        record = _DECODER.decode(line)
        if since and datetime.fromisoformat(record.end).timestamp() < since:
            return False
    except ValueError:  # DecodeError is one
        return False
    if call and call not in (record.id, record.caller.call_id, record.callee.call_id):
        return False
    return not user or any(_is(user, party) for party in _parties(record))


def _parties(record: _Record) -> Iterator[str]:
    yield from (record.caller.party, record.callee.party, record.asked, record.reached or "")
    for forwarding in record.forwardings:
        yield from (forwarding.by, *forwarding.to)
    for transfer in record.transfers:
        yield from (transfer.leaves, transfer.comes)


def _is(user: str, party: str) -> bool:
    """By name, or by the address as it stands."""
    return user == party or user == party.partition(":")[2].partition(";")[0].partition("@")[0]
