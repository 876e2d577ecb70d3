"""Max-Breadth: how many branches at once a request may still become (RFC 5393 §5). Max-Forwards bounds depth, this width."""

from __future__ import annotations

from typing import Final

from b2bua.sip.errors import SipError
from b2bua.sip.message import Request

MAX_BREADTH: Final = 60
"""What a request gets that says nothing, and the most that one may ask for (RFC 5393 §5.3)."""
_NAME: Final = "Max-Breadth"
_DEFAULT_LINE: Final = f"{_NAME}: {MAX_BREADTH}"


def breadth_of(request: Request) -> int:
    """Branches that this request may become, from 1 to 60; SipError 440 when nothing is left, MalformedValue for no number."""
    stated = request.integer(_NAME)
    if stated is None:
        return MAX_BREADTH
    if stated < 1:
        raise SipError(440).because("refused: Max-Breadth is used up, no branch is left (RFC 5393 §5.3)")
    return min(stated, MAX_BREADTH)


def put_breadth(target: Request, source: Request) -> None:
    """Copy Max-Breadth to a request that is forwarded; added when missing, and not decremented (RFC 5393 §5.3.3)."""
    if _NAME in source.names:
        target.replace(_NAME, str(breadth_of(source)))
    else:
        target.names.append(_NAME)
        target.lines.append(_DEFAULT_LINE)


def split(breadth: int, branches: int) -> list[int]:
    """Max-Breadth of each branch, which sum up to `breadth`; SipError 440 when that is less than one each."""
    if breadth < branches:
        raise SipError(440).because("refused: Max-Breadth is less than the branches that are needed (RFC 5393 §5.3)")
    share, over = divmod(breadth, branches)
    return [share + (number < over) for number in range(branches)]
