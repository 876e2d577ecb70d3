"""Records as text and back: JSON, with the version of its kind in it."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from b2bua.store.records import BadRecord

Record = TypeVar("Record", bound=msgspec.Struct)


def encode_record(record: msgspec.Struct) -> str:
    """The record as JSON; header text that is no UTF-8 is carried over in escapes."""
    try:
        return msgspec.json.encode(record).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(record), separators=(",", ":"))


def decode_record(text: str, kind: type[Record], version: int) -> Record:
    """The inverse of `encode_record`; BadRecord for anything else, an unknown version included."""
    try:
        record = msgspec.json.decode(text, type=kind)
    except (ValueError, msgspec.ValidationError, RecursionError):
        record = _with_escapes(text, kind)
    found = getattr(record, "version", None)
    if found != version:
        raise BadRecord(f"version {found!r}, not {version}")
    return record


def _with_escapes(text: str, kind: type[Record]) -> Record:
    """Escapes of bytes that are no UTF-8 are nothing that msgspec reads."""
    try:
        return msgspec.convert(json.loads(text), kind)
    except (ValueError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise BadRecord(str(error)) from None
