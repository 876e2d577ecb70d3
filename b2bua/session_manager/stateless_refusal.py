"""A refusal that leaves without a transaction (RFC 3261 §8.2.7): what a flood is answered, so that it costs no memory."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to

RETRY_AFTER: Final = "5"
"""Seconds."""


def stateless_refusal(request: Request, trunk: bool = False) -> Response:
    """480 to an INVITE, 500 with Retry-After to the rest: to a phone 503 would mean that this server is dead. A `trunk` takes
    503 for what it is, and asks another server meanwhile (RFC 3261 §21.5.4).

    The same request gets the same To tag, as nobody remembers the first answer.
    """
    status = 503 if trunk else 480 if request.method == "INVITE" else 500
    response = response_to(request, status, "", f"{crc32(request.top_via.branch.encode('utf-8', 'replace')):x}")
    if status != 480:
        response.append("Retry-After", RETRY_AFTER)
    return response
