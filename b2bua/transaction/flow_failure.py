"""What becomes of the transactions on a flow whose connection is gone, or that is declared dead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from b2bua.observer import METHOD_LABELS
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.long_requests import length_of
from b2bua.transaction.machine import Event, State
from b2bua.transaction.server import ServerTransaction, answer_address

if TYPE_CHECKING:
    from b2bua.transaction.layer import TransactionLayer

_UNHEARD: Final = (State.CALLING, State.TRYING)


def flow_failed(layer: TransactionLayer, flow: Flow, comes_back: bool) -> None:
    """A connection is gone: what waits for an answer on it fails (RFC 3261 §17.1.4); what answers there stays in its state
    (RFC 6026 §8.8) and answers on another (RFC 3261 §18.2.2). `comes_back`: so does who is at the other end, by the same flow."""
    for transaction in _under_way(layer, flow):
        if isinstance(transaction, ServerTransaction):
            _answer_elsewhere(layer, transaction, flow)
        elif comes_back and _is_taken(transaction):
            layer.goes_by_stream(transaction, flow)
        elif transaction.fallback is None or transaction.state not in _UNHEARD or transaction.request is None:
            transaction.fire(Event.TRANSPORT_ERROR)
        else:
            _over_udp(layer, transaction, transaction.request, transaction.fallback)


def _under_way(layer: TransactionLayer, flow: Flow) -> Iterable[ClientTransaction | ServerTransaction]:
    if flow.reliable:
        return layer.on_streams.pop(flow, ())
    # Of datagrams nobody keeps account: that such a way is declared dead is rare.
    everything: list[ClientTransaction | ServerTransaction] = [*layer.clients.values(), *layer.servers.values()]
    return [transaction for transaction in everything if transaction.flow is flow]


def _is_taken(transaction: ClientTransaction) -> bool:
    """Whether it is a re-INVITE that the other end has taken: nothing of it is to be sent any more, so that figure 5 knows no
    transport error (RFC 3261 §17.1.1.2), and the party that it went on to may have agreed to it already."""
    request = transaction.request
    taken = transaction.method == "INVITE" and transaction.state is State.PROCEEDING
    return taken and request is not None and bool(request.to.tag)


def _answer_elsewhere(layer: TransactionLayer, transaction: ServerTransaction, gone: Flow) -> None:
    """Answer over a new connection to the same peer (RFC 3261 §18.2.2); keep the transaction so that a repeated request is
    matched (`_follow`)."""
    transaction.fire(Event.TRANSPORT_ERROR)
    address = answer_address(transaction) if gone.reliable else None
    if address is None:
        return
    flow = transaction.flow = gone.towards(address)
    layer.goes_by_stream(transaction, flow)


def _over_udp(layer: TransactionLayer, client: ClientTransaction, request: Request, flow: Flow) -> None:
    """The connection that a long request was to take came to nothing: RFC 3261 §18.1.1 wants UDP tried."""
    again = request.copy()
    again.remove_first("Via")
    # The same branch: it is signed, recorded, and what a CANCEL after a restart names.
    layer.via.put(again, flow, branch=client.branch)
    if layer.streams is not None:
        layer.streams.refused(flow, length_of(again))
    layer.observer.requests["out", METHOD_LABELS[client.method], flow.transport] += 1
    client.start_again(again, flow)
