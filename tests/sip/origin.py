"""What a test says of a description beside its o= line."""

from __future__ import annotations

from b2bua.sip.sdp import split_origin


def without_origin(body: bytes) -> bytes:
    """The description less its o= line: what tells whether anything else changed."""
    before, _, after = split_origin(body)
    return before + after
