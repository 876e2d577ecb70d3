"""The INVITE usage of media of our own: what a phone would do with our INVITEs is done here and now, without a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.invite_usage import InviteUsage
from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.feature_server.carried import is_sdp
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.sdp import CONTENT_TYPE

if TYPE_CHECKING:
    from b2bua.feature_server.contract import MediaStream
    from b2bua.feature_server.leg import Leg


class MediaUsage(InviteUsage):
    """Answers offers, makes one where an INVITE has none, and lets the stream play as agreed: from the ACK on."""

    __slots__ = ("_leg", "_session", "_stream", "_tag", "_offered")

    def __init__(self, leg: Leg, session: OfferAnswer, stream: MediaStream) -> None:
        super().__init__(leg.environment.layer, leg.environment.link, leg)
        self._leg = leg
        self._session = session
        self._stream = stream
        self._tag = leg.environment.layer.identifiers.tag()
        self._offered = False
        """Whether our answer had the offer, and the ACK is to bring the answer to that."""

    def invite(self, request: Request, mark: str = "") -> None:
        """Answered before this returns: the owner has heard `invite_accepted` or `invite_refused`."""
        self._client_cseq = request.cseq
        self.cancelled = False
        try:
            body = self._describe(request)
        except SipError as error:
            self._leg.call.acted = error.why
            self._leg.invite_refused(error.status, response_to(request, error.status, error.reason, self._tag))
            return
        self.owes_ack = True
        response = response_to(request, 200, tag=self._tag)
        response.remove("Content-Length")
        response.set_body(body, CONTENT_TYPE)
        self._leg.invite_accepted(response)

    def _describe(self, request: Request) -> bytes:
        self._offered = not request.body
        if self._offered:
            return self._session.offer()
        if not is_sdp(request):
            raise SipError(415).because("B2BUA: the body is no session description (RFC 3261 §21.4.13)")
        return self._session.answer(request.body)

    def offer_again(self) -> bytes:
        """Our offer without an INVITE that asks for one; `acknowledge` brings the answer to it."""
        self._offered = True
        return self._session.offer()

    def acknowledge(self, body: bytes = b"", content_type: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """What is agreed holds from now on. An answer that is none leaves the session as it was."""
        self._acked_cseq = self._client_cseq
        self.owes_ack = False
        if self._offered:
            self._offered = False
            try:
                self._session.accepted(body)
            except SipError:
                self._session.refused()
        session = self._session
        self._stream.send_to(session.remote if session.sends else None, session.payload_type)

    def acknowledge_stray(self, response: Response) -> None:
        return

    def leave(self) -> None:
        self._stream.close()
