"""What comes and cannot be read: refused where there is a request to answer, and no state is kept for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.observer import METHOD_LABELS
from b2bua.sip.flow import Flow
from b2bua.sip.framer import Unframed
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why
from b2bua.transaction.matching import note_source
from b2bua.transaction.server import answer_flow

if TYPE_CHECKING:
    from b2bua.transaction.layer import TransactionLayer

BROKEN: Final[Why] = (None, "refused: what came is no SIP message as RFC 3261 §7 has it")


def malformed(layer: TransactionLayer, error: MalformedMessage, flow: Flow) -> None:
    """Bytes that are no SIP message: counted; answered if enough of a request can be read."""
    layer.observer.parse_error(error.kind)
    layer.log("message_unreadable", peer=flow.remote, reason=error.kind)
    request = error.request
    if request is None or request.method == "ACK":
        layer.observer.message_dropped("malformed")
        return
    layer.observer.requests["in", METHOD_LABELS[request.method], flow.transport] += 1
    note_source(request, flow)
    response = response_to(request, error.status, error.reason, layer.identifiers.tag())
    response.why = BROKEN
    layer.send_response(response, answer_flow(request, flow))


def stream_broken(layer: TransactionLayer, flaw: Unframed, flow: Flow) -> None:
    """A stream cannot be read any further: its last message is refused where that can be; the transport closes it."""
    layer.observer.parse_error(flaw.kind)
    layer.log("message_unreadable", peer=flow.remote, reason=flaw.kind)
    request: Request | Response | None
    try:
        request = parse_message(flaw.head)
    except MalformedMessage as error:
        request = error.request
    if not isinstance(request, Request) or request.method == "ACK":
        layer.observer.message_dropped("malformed")
        return
    layer.observer.requests["in", METHOD_LABELS[request.method], flow.transport] += 1
    note_source(request, flow)
    response = response_to(request, flaw.status, flaw.reason, layer.identifiers.tag())
    response.why = BROKEN
    layer.send_response(response, flow)
