"""Which codecs two descriptions agree on (RFC 3264 §6.1)."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "13": "CN", "18": "G729"}
"""Payload types that need no rtpmap (RFC 3551 §6)."""
_MAP: Final = re.compile(rb"^a=rtpmap:(\d{1,3})[ \t]+([^/ \t\r\n]{1,32})", re.MULTILINE)
_MEDIA: Final = re.compile(rb"^m=(audio|video) (\d{1,5})\S* \S+ ([0-9 ]+)", re.MULTILINE)


def codecs(body: bytes) -> list[str]:
    """Names of the formats of every audio and video stream that is not refused, in their order, each once."""
    mapped = {number.decode(): name.decode("ascii", "replace") for number, name in _MAP.findall(body)}
    found: dict[str, None] = {}
    for _media, port, formats in _MEDIA.findall(body):
        if int(port):
            for number in formats.decode().split():
                found[mapped.get(number) or _NAMES.get(number, number)] = None
    return list(found)


def agreed_codecs(one: bytes, other: bytes) -> list[str]:
    """Those that both descriptions have, in the order of the first; capitals do not count."""
    there = {name.lower() for name in codecs(other)}
    return [name for name in codecs(one) if name.lower() in there]
