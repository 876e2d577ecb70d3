"""RSeq (RFC 3262 §7.1): the number of a provisional response that is sent reliably."""

from __future__ import annotations

from typing import Final

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Response

RELIABLE: Final = "100rel"
"""The option tag."""


def rseq_of(response: Response) -> int:
    """The RSeq of a reliable provisional response; 0 for any other, and always for a 100 (RFC 3262 §4)."""
    if not 100 < response.status < 200 or "RSeq" not in response.names or RELIABLE not in response.tokens("Require"):
        return 0
    try:
        return response.integer("RSeq") or 0
    except MalformedValue:
        return 0
