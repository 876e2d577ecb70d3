"""A challenge that the proxy at our side answers: the request goes once more, CSeq one up, with the challenge in it
(sip/proxy_answer.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog
from b2bua.sip.digest import HEADERS
from b2bua.sip.message import Request, Response
from b2bua.sip.proxy_answer import round_of, rounds
from b2bua.transaction.client import ClientTransaction, ClientUser

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


def echoed(request: Request, response: Response) -> Request | None:
    """The request once more, without Via and with its old CSeq; None where nobody answers this challenge for us.

    The rounds are counted in the request: whoever challenges us for ever does not keep us busy.
    """
    if response.status not in (401, 407):
        return None
    wanted = rounds(request) + 1
    answers = [
        (answering, value)
        for asked, answering in HEADERS
        for value in response.get_all(asked)
        if round_of(value) == wanted
    ]
    if not answers:
        return None
    again = request.copy()
    again.remove("Via")
    for _, name in HEADERS:
        kept = [value for value in again.get_all(name) if not round_of(value)]
        again.remove(name)
        for value in kept:
            again.append(name, value)
    for name, value in answers:
        again.insert_before(name, value)
    return again


class Echoing:
    """The user of a request that is no INVITE, in place of its own one, which hears the answer that counts."""

    __slots__ = ("_leg", "_dialog", "_request", "_user")

    def __init__(self, leg: Leg, dialog: Dialog, request: Request, user: ClientUser) -> None:
        self._leg = leg
        self._dialog = dialog
        self._request = request
        self._user = user

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        again = echoed(self._request, response)
        if again is None:
            self._user.response_received(transaction, response)
            return
        dialog, environment = self._dialog, self._leg.environment
        dialog.local_cseq += 1
        again.replace("CSeq", f"{dialog.local_cseq} {again.method}")
        self._request = again
        environment.layer.send_request(again, environment.link, self)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._user.transaction_failed(transaction, status)
