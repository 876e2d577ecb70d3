"""The second part of a branch, by which an element knows a request again that it sent on itself (RFC 5393 §4.2)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

from b2bua.sip.message import Request


def loop_mark(key: bytes, *values: str) -> str:
    """What goes behind a branch: a dot and 12 characters, keyed, over the values that the routing of a request depends on.

    A request that comes back with the same values has looped; with others it spirals, which is legal. `key` is up to 64
    bytes. The method is no value: a CANCEL has the branch of its INVITE.
    """
    text = "\0".join(values).encode("utf-8", "surrogateescape")
    return "." + urlsafe_b64encode(blake2b(text, key=key, digest_size=9).digest()).decode()


def bears(request: Request, mark: str) -> bool:
    """Whether one of the request's Vias has this mark. The key makes it ours: nothing else of a foreign Via is read."""
    return any(mark in line for name, line in zip(request.names, request.lines, strict=True) if name == "Via")
