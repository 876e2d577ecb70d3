"""A logged event as a line: JSON for programs, text for people. Nothing that a peer sent can begin a line or move a cursor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

Entry = Mapping[str, object]
"""`time` (Unix seconds), `level`, `area`, `event`, and the event's fields; `exception` is a traceback of several lines."""

JSON: Final = "json"
TEXT: Final = "text"
_HEAD: Final = ("time", "level", "area", "event", "exception")


def when(seconds: float) -> str:
    """UTC with microseconds, as ISO 8601 writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_line(entry: Entry) -> str:
    """One JSON object; `time` in UTC."""
    seconds = entry["time"]
    assert isinstance(seconds, float)
    return json.dumps({**entry, "time": when(seconds)}, ensure_ascii=True, default=str, separators=(",", ":"))


def text_line(entry: Entry) -> str:
    """Time, level, area and event, then `field=value`; a traceback stands below, indented."""
    seconds = entry["time"]
    assert isinstance(seconds, float)
    line = f"{when(seconds)} {entry['level']:<7} {entry['area']:<13} {entry['event']}{pairs(entry)}"
    if "exception" in entry:
        lines = (_printable(part) for part in str(entry["exception"]).splitlines())
        line += "".join(f"\n    {part}" for part in lines)
    return line


def pairs(entry: Entry) -> str:
    """` field=value` for each field; a value with blanks or signs that could mislead stands in quotes, as JSON has it."""
    return "".join(f" {name}={_value(value)}" for name, value in entry.items() if name not in _HEAD)


def _value(value: object) -> str:
    text = str(value)
    plain = bool(text) and text.isascii() and text.isprintable() and not any(sign in text for sign in ' "=\\')
    return text if plain else json.dumps(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


WRITTEN: Final = {JSON: json_line, TEXT: text_line}
"""What the setting `log_format` names."""
