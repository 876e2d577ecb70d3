"""How the notifier's requests leave: through the transaction layer, with one word back on how each ended."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.session_manager.subscription import NO_WAY
from b2bua.session_manager.ways import FlowGone
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer


class NotifySender:
    """Sends the notifier's requests: `on_final(status)` once, 408 when nobody answered or nothing could be sent, `NO_WAY` when
    there is none to the phone."""

    def __init__(self, layer: TransactionLayer, again: Callable[[Flow, Request], Flow]) -> None:
        """`again` gives another flow to the same phone where the connection of the first is gone (`Ways.again`)."""
        self._layer = layer
        self._again = again

    def send(self, request: Request, flow: Flow, on_final: Callable[[int], None]) -> None:
        way = self._again(flow, request)
        if isinstance(way, FlowGone):
            on_final(NO_WAY)
        else:
            self._layer.send_request(request, way, _Waiting(on_final))


class _Waiting:
    __slots__ = ("_on_final",)

    def __init__(self, on_final: Callable[[int], None]) -> None:
        self._on_final = on_final

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._on_final(response.status)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._on_final(408)
