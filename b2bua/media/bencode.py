"""Bencoding, in which rtpengine is spoken to: integers, byte strings, lists and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

DEEPEST: Final = 32
"""Levels of lists and dictionaries in one another that are read."""


class MalformedBencode(ValueError):
    """Bytes that are none; the text says why."""


def encode(value: object) -> bytes:
    """Text goes as UTF-8, keys of dictionaries in the order of their bytes; TypeError for what cannot be said."""
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return encode(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, Mapping):
        pairs = sorted((key.encode() if isinstance(key, str) else key, each) for key, each in value.items())
        return b"d" + b"".join(encode(key) + encode(each) for key, each in pairs) + b"e"
    if isinstance(value, Sequence):
        return b"l" + b"".join(map(encode, value)) + b"e"
    raise TypeError(f"{type(value).__name__} cannot be bencoded")


def decode(data: bytes) -> Any:
    """The one value that the bytes are: int, bytes, list, or dict with text as keys."""
    value, end = _decode(data, 0, 0)
    if end != len(data):
        raise MalformedBencode("more behind the value")
    return value


def _decode(data: bytes, start: int, depth: int) -> tuple[Any, int]:
    """A value and where the next one begins."""
    if depth > DEEPEST:
        raise MalformedBencode("too deep")
    kind = data[start : start + 1]
    if kind == b"i":
        end = data.find(b"e", start)
        return _number(data[start + 1 : end] if end > 0 else b""), end + 1
    if kind in (b"l", b"d"):
        items = []
        at = start + 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        return (items if kind == b"l" else _pairs(items)), at + 1
    colon = data.find(b":", start)
    length = _number(data[start:colon] if colon > 0 else b"")
    end = colon + 1 + length
    if length < 0 or end > len(data):
        raise MalformedBencode("a string that is cut off")
    return data[colon + 1 : end], end


def _pairs(items: list[Any]) -> dict[str, Any]:
    keys, values = items[::2], items[1::2]
    if len(keys) != len(values) or not all(isinstance(key, bytes) for key in keys):
        raise MalformedBencode("a dictionary of no pairs")
    return {key.decode("utf-8", "replace"): value for key, value in zip(keys, values, strict=True)}


def _number(text: bytes) -> int:
    digits = text.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 18:
        raise MalformedBencode("no number where one is wanted")
    return int(text)
