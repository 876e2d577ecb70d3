"""A view as a text file: the ladder and its messages in our own form, or the form that traceSM reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from b2bua.trace.ladder import MAX_WIDTH, Ladder, clock, printable
from b2bua.trace.names import CM, SM
from b2bua.trace.rows import Row

TRACESM_SUFFIXES: Final = (".log", ".tracesm")
"""A file with such a name is written in traceSM's form."""

_RULE: Final = "--------------------"
_SYNTHETIC: Final = {SM: "0.0.0.0:0", CM: "0.0.0.1:0"}
"""Addresses for the link in process, which has none."""


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a new file, mode 0600, in the form that its name asks for; OSError when it exists or cannot be written."""
    lines = tracesm(rows) if path.suffix in TRACESM_SUFFIXES else text(rows)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in lines)


# -- our own form --------------------------------------------------------------------------------------------------


def text(rows: Sequence[Row]) -> Iterator[str]:
    """The ladder, then each message with what is known of it, numbered as in the view."""
    ladder = Ladder(MAX_WIDTH)
    for row in rows:
        yield from [f"-- {row.gap} --"] if row.gap else ladder.feed_row(row)
    for row in rows:
        if not row.gap:
            yield from ("", "=" * MAX_WIDTH, *facts_of(row), "-" * MAX_WIDTH)
            yield from shown_message(row)


def facts_of(row: Row) -> list[str]:
    """What is known of a message besides its text, a line each."""
    record = row.record
    day = datetime.fromtimestamp(row.time).strftime("%Y-%m-%d")
    lines = [
        f"#{row.number}  {day} {clock(row.time)}  {_party(record, 'source')} → {_party(record, 'destination')}"
        f"  {record['transport']}" + ("  retransmission" if record["retransmission"] else "")
    ]
    if record["call"]:
        lines.append(f"call {row.letter}: {record['call']}" + (f"  step {record['step']} of a hold" if "step" in record else ""))
    if record.get("node"):
        lines.append(f"seen by server {record['node'].replace('+', ', then by server ')}")
    if record.get("note"):
        lines.append(record["note"])
    lines += [f"why: {decision}" for decision in record.get("decisions", ())]
    if row.copies:
        again = ", ".join(f"+{time - row.time:.3f}" for time in row.copies)
        lines.append(f"sent {len(row.copies)} times more after (seconds): {again}")
    return lines


def shown_message(row: Row) -> list[str]:
    """The message line by line; what a terminal would obey shows as a question mark."""
    lines = row.record["message"].replace("\r\n", "\n").rstrip("\n").split("\n")
    return [printable(line.expandtabs()) for line in lines]


def _party(record: Mapping[str, Any], side: str) -> str:
    name, address = record[side], record.get(f"{side}_address", "")
    return name if not address or address == name else f"{name} ({address})"


# -- traceSM's form ------------------------------------------------------------------------------------------------


def tracesm(rows: Sequence[Row]) -> Iterator[str]:
    """`-->` came in to Session Manager, `<-- ` went out; each copy of a folded message is there again.

    The blanks at the ends of lines belong to the form: readers look for them.
    """
    sent = sorted(
        ((time, row) for row in rows if not row.gap for time in (row.time, *row.copies)), key=lambda pair: pair[0]
    )
    names: dict[str, str] = {}
    for _, row in sent:
        for side in ("source", "destination"):
            names.setdefault(_address(row.record, side).rpartition(":")[0], row.record[side])
    yield "### traceSM name_ip: " + "".join(f"{address}->{name};" for address, name in names.items())
    for time, row in sent:
        yield from _tracesm_message(time, row.record)


def _tracesm_message(time: float, record: Mapping[str, Any]) -> list[str]:
    inwards = record["destination"] == SM
    local, remote = ("destination", "source") if inwards else ("source", "destination")
    ends = f"{{ L{_address(record, local)}/R{_address(record, remote)}/{record['transport'].upper()}/0xa }}"
    message = record["message"].lstrip("\r\n")
    body = message.partition("\r\n\r\n")[2]
    stamp = datetime.fromtimestamp(time).strftime("%d/%m/%Y %H:%M:%S.%f")[:-3]
    return [
        "com.avaya.asm  SIPMSGT ",
        _RULE,
        f"{stamp} {'-->' if inwards else '<--'} ",
        f"\toctets: {len(message.encode())}, Body Length: {len(body.encode())}",
        f"\tingress: {ends if inwards else '[NO TARGET]'}",
        f"\tegress: {'[NO TARGET]' if inwards else ends}",
        "\tSIPMsgContext: [NONE]",
        _RULE,
        message.replace("\r\n", "\n").removesuffix("\n"),
        _RULE,
    ]


def _address(record: Mapping[str, Any], side: str) -> str:
    name = record[side]
    address = record.get(f"{side}_address") or _SYNTHETIC.get(name, name)
    return address if ":" in address else f"{address}:0"
