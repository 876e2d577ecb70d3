"""The requests that a client INVITE transaction makes by itself: ACK for a failure, and CANCEL."""

from __future__ import annotations

from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response


def ack_for_failure(invite: Request, response: Response) -> Request:
    """RFC 3261 §17.1.1.3: the INVITE's top Via, From, Call-ID, Route and CSeq number; To from the response."""
    request = _same_transaction(invite, "ACK")
    request.replace("To", response.get("To") or "")
    return request


def cancel_for(invite: Request, headers: tuple[tuple[str, str], ...] = ()) -> Request:
    """RFC 3261 §9.1: the INVITE's R-URI, top Via, From, To, Call-ID, Route and CSeq number, nothing of its body."""
    request = _same_transaction(invite, "CANCEL")
    for name, value in headers:
        request.append(name, value)
    return request


def _same_transaction(invite: Request, method: str) -> Request:
    names: list[str] = []
    lines: list[str] = []
    for name, line in zip(invite.names, invite.lines, strict=True):
        if name in ("From", "To", "Call-ID", "Route") or (name == "Via" and "Via" not in names):
            names.append(name)
            lines.append(line)
    request = Request(method, invite.uri, names, lines)
    request.append("CSeq", f"{invite.cseq} {method}")
    request.append("Max-Forwards", MAX_FORWARDS)
    request.append("Content-Length", "0")
    request.call = invite.call
    return request
