"""What the top Via of a request tells (RFC 3261 §17.2.3, §18.2.1): its transaction, and where it really came from."""

from __future__ import annotations

from b2bua.sip.address import split_unquoted
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.sip.via import MAGIC_COOKIE
from b2bua.transaction.server import Key


def transaction_key(request: Request) -> Key:
    """What identifies the server transaction of a request (RFC 3261 §17.2.3); an ACK or CANCEL names its INVITE's.

    The method is the last element; ACK counts as INVITE.
    """
    via, method = request._via or request.top_via, request.method
    branch = via.branch
    if method == "ACK":
        method = "INVITE"
    if branch.startswith(MAGIC_COOKIE) and branch != MAGIC_COOKIE:
        return branch, via.host, via.port, method
    # RFC 2543 peers: the old rule. The To tag is left out: an ACK has one where its INVITE had none.
    return request.uri, request.from_.tag, request.call_id, str(request.cseq), f"{via.sent_by};{via.branch}", method


def note_source(request: Request, flow: Flow) -> None:
    """Write where the request really came from into its top Via: `received` and `rport` (RFC 3261 §18.2.1, RFC 3581 §4)."""
    via = request.top_via
    host, port = flow.remote
    noted = via.with_source(host, port)
    if noted is via:
        return
    index = request.names.index("Via")
    line = request.lines[index]
    rest: list[str] = []
    if '"' in via.parameters or "," in via.parameters:  # the line has been split once, to read this value
        rest = split_unquoted(line.partition(":")[2], ",")[1:]
    elif "," in line:  # several Vias share it: what is wrong with the others is none of our business
        rest = [line.partition(",")[2]]
    request.lines[index] = ",".join((f"Via: {noted}", *rest))
    request._via = noted
