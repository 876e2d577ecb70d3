"""The JSON document that a request brings."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from twisted.web.server import Request

MOST: Final = 8 * 1024
"""Bytes of it."""

_Document = TypeVar("_Document", bound=msgspec.Struct)


def posted(request: Request, kind: type[_Document]) -> _Document | None:
    """The document as a `kind`; None where it is none, or too long to be one."""
    content = request.content
    text = b"" if content is None else content.read(MOST + 1)
    if len(text) > MOST:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
