"""A re-INVITE through the B2BUA: to the far party and its answer back, with all that can go wrong (RFC 3261 §14).

    forwarding ── 2xx ──► answered                  the session is what was agreed
        │  └───── 491 ──► waiting ── timer ──► forwarding again, once; a second 491 goes back
        │                    └── the far party's own re-INVITE ──► 491 back, then that one goes
        └──── 3xx–6xx ──► refused                   the session is what it was; a 408 or 481 ends the call
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.dialog.glare import wait_after_491
from b2bua.dialog.reliable_provisional import demands
from b2bua.feature_server.carried import foreign_challenges, is_sdp
from b2bua.feature_server.exchange import GivenWay, release_waiting
from b2bua.feature_server.hooks import status_of
from b2bua.feature_server.refresh import agree_as_before
from b2bua.feature_server.refusals import GAVE_UP, NOBODY_ANSWERED
from b2bua.feature_server.reliable_progress import ReliableAnswer
from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.why import Why
from b2bua.transaction.timers import Timer

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

SHOWN: Final = "feature hold: {} asks for a {}, which shows on its lamp before the other party hears of it"
TRIED_AGAIN: Final[Why] = (None, "glare: the other party answered 491, tried once more after the wait (RFC 3261 §14.1)")
GAVE_WAY: Final[Why] = (None, "glare: the other party's own re-INVITE came during the wait after its 491, it goes first")
REFRESHED: Final[Why] = (None, "B2BUA: the same description again is a refresh; the other party is not asked (RFC 3264 §8)")
GONE: Final = "B2BUA: {} answered its re-INVITE {}, or nothing (408): its dialog is gone, BYE to both (RFC 5057)"
HELD_UP: Final[Why] = (None, "B2BUA: the other party has agreed, and a feature has said nothing of that in time")
BAD_OFFER: Final = "B2BUA: the offer cannot be passed on: {}"


class Reinvite:
    """One re-INVITE of the party of `origin`, on its way to the party of `far`."""

    def __init__(self, call: Call, origin: Leg, request: Request) -> None:
        self._call = call
        self.origin = origin
        self.far = origin.other
        self._request = request
        self._offered = bool(request.body) and is_sdp(request)
        self._forwarded = request
        self._body = b""
        self._answer_theirs = b""
        self._answer_ours = b""
        self._ack_theirs = b""
        self._answer = ReliableAnswer()
        self._retry: Timer | None = None
        self._retried = False
        self._cancelled = False
        self._agreed = False
        """Whether the far party has our ACK, and with it may ask for something itself."""
        self._told = 0
        """By which status a feature has refused it, while the far party was asked."""
        self._sent = False
        """Whether the far party has been asked: a feature may let the request wait before."""
        self.kind = _kind(origin, request) if self._offered else "media"

    @property
    def waits_to_retry(self) -> bool:
        """Whether the far party answered 491 and our second try has not left yet."""
        return self._retry is not None

    # -- forth -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        request, origin = self._request, self.origin
        try:
            if self._offered:
                origin.descriptions.check_offer(request.body)
        except SipError as error:
            self._refuse(error.status, None, (error.why, BAD_OFFER, error.status), error.reason, *error.headers)
            return
        if self._offered and origin.descriptions.is_refresh(request.body):
            self._answer_refresh()
            return
        self._call.run_hooks("request_received", origin, request, self._forward, self._failed, self._under_way)

    def _answer_refresh(self) -> None:
        """The peer repeats what it agreed to: a session refresh, answered with what we said last (RFC 3264 §8)."""
        origin = self.origin
        target = origin.dialog.remote_target
        origin.dialog.refresh_target(self._request)
        self.kind = "refresh" if origin.dialog.remote_target == target else "target"
        self._finish(200)
        origin.respond(200, _description(origin.descriptions.ours), origin.descriptions.ours, why=REFRESHED)

    def _forward(self, request: Request | Response) -> None:
        assert isinstance(request, Request)
        if self._call.exchange is not self:
            return
        self._forwarded = request
        self._sent = True
        self._body = self.far.render(request)
        self.far.offer(request, self._body, (None, SHOWN, self.origin.party, self.kind) if self.kind != "media" else None)

    def answered_here(self, status: int) -> None:
        """A feature answered the party itself, and keeps the re-INVITE from the far one, or the far one's answer from it. Who is
        refused before there is an answer waits for it all the same: until then the far party has no other INVITE (RFC 3261
        §14.1). A party that has hung up is another's care."""
        refused = status >= 300
        if not self._sent:
            self._finish(status)
        elif self.origin.ended:
            return
        elif self._agreed or (refused and self.far.usage.owes_ack):
            self._finish(status)
            if refused:
                self._take_back()
        elif refused:
            self._told = status
            self.cancelled(())  # it hears CANCEL, and its final answer ends this

    def takes(self, leg: Leg) -> bool:
        """The far party's, where a feature is at work on its answer still."""
        return self._agreed and leg is self.far

    def _offer(self) -> bytes:
        """What the far party's description answers; b"" where that is an offer itself."""
        return self._request.body if self._offered else b""

    # -- back --------------------------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response) -> None:
        if self._answer.take(leg, response, self._offered):
            self._call.run_hooks("response_received", leg, response, self._pass_progress, self._progress_failed)

    def _pass_progress(self, response: Response | Request) -> None:
        if isinstance(response, Response) and not demands(self._request):
            # Who wants each of them reliably gets none: what counts is the answer.
            self.origin.respond(response.status, response, self.origin.render(response, self._offer()))

    def accepted(self, leg: Leg, response: Response) -> None:
        leg.dialog.refresh_target(response)
        response = self._answer.stands_in(response)
        self._answer_theirs = response.body  # as it came, whatever features make of it
        if self._offered:
            leg.usage.acknowledge()
            self._agreed = True
        self._call.run_hooks("response_received", leg, response, self._pass_answer, self._failed)

    def _pass_answer(self, response: Response | Request) -> None:
        assert isinstance(response, Response)
        if self._call.exchange is not self:
            return
        if self._told:
            self._refuse(self._told, None)
            return
        origin, far = self.origin, self.far
        body = origin.render(response, self._offer())
        # RFC 6141 §4.6: the target is refreshed by the 2xx, not by the request.
        origin.dialog.refresh_target(self._request)
        if self._offered:
            if is_sdp(response):
                origin.descriptions.completed(self._request.body, body)
                far.descriptions.completed(self._answer_theirs, self._body)
            self._finish(response.status)
        else:
            self._answer_ours = body
        origin.respond(response.status, response, body)

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        """The answer to an offerless re-INVITE stands in the ACK (RFC 3264 §4): only now the far party gets its own."""
        if leg is not self.origin or self._offered:
            return
        self._ack_theirs = ack.body
        self._call.run_hooks("request_received", leg, ack, self._pass_ack, self._failed)

    def _pass_ack(self, ack: Request | Response) -> None:
        origin, far = self.origin, self.far
        body = far.render(ack, self._answer_theirs)
        if is_sdp(ack):
            far.descriptions.completed(self._answer_theirs, body)
            origin.descriptions.completed(self._ack_theirs, self._answer_ours)
        far.usage.acknowledge(body, ack.get("Content-Type") or "")
        self._finish(200)

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        if status == 491 and not self._cancelled:
            if not self._retried:
                self._wait_to_retry()
                return
            self._call.environment.observer.glare("gave_up")
        if self._cancelled and status == 408:
            # No final response within 64·T1 of the CANCEL, noticed here or by Session Manager: the end, as by 408.
            self._end_call(487, None)
        elif response is None:
            # Nobody said so: Session Manager was not there for 64·T1, or its connection is gone. The party may be.
            self._refuse(500, None, (None, NOBODY_ANSWERED, 500))
        elif status in (408, 481):
            self._end_call(status, response)
        else:
            self._call.run_hooks("response_received", leg, response, self._pass_refusal, self._failed)

    def unanswered(self) -> None:
        """The other party has said nothing for as long as whoever asked waits: its dialog is gone, as by a 408. Or it has agreed,
        and a feature says nothing."""
        if self._agreed:
            self._refuse(408, None, HELD_UP)
        else:
            self._end_call(487 if self._cancelled else 408, None)

    def _pass_refusal(self, response: Response | Request) -> None:
        assert isinstance(response, Response)
        status = response.status
        if status in (401, 407) and not foreign_challenges(response, self._call.environment.domain):
            status = 403  # only our own realm's challenge was in it: it never crosses
        elif status == 430:
            status = 500  # the far party's flow is gone; no endpoint gets that status (RFC 5626 §11.5)
        self._refuse(status, response)

    def _refuse(
        self, status: int, response: Response | None, why: Why | None = None, reason: str = "", *headers: tuple[str, str]
    ) -> None:
        """The session stays as it was (RFC 6141 §3): features take back what they showed, then the party is told."""
        if self._call.exchange is not self:
            return
        self._finish(status)
        self.origin.respond(status, response, response.body if response is not None else b"", reason, *headers, why=why)
        self._take_back()

    def _take_back(self) -> None:
        """The far party has agreed to what was refused here: it, too, goes on with what stood. So does who made the answer to its
        offer, in an ACK, which nobody can refuse."""
        far = self.far
        if not far.ended and (self._agreed or far.usage.owes_ack):
            agree_as_before(far, b"" if self._offered else self._answer_theirs)
        if self._ack_theirs:
            agree_as_before(self.origin, b"")

    def _end_call(self, status: int, response: Response | None) -> None:
        """408 and 481 end the dialog and so the call (RFC 3261 §14.1): the answer first, then BYE to both."""
        self._finish(status)
        self.origin.respond(status, response, why=(None, NOBODY_ANSWERED, status) if response is None else None)
        self._call.over_because = (None, GONE, self.far.party, status)
        self._call.finish("failed", ("Reason", f"SIP;cause={status}"))

    # -- glare -------------------------------------------------------------------------------------------------

    def _wait_to_retry(self) -> None:
        """RFC 3261 §14.1: one more try, after a wait in the band of whoever made that leg's Call-ID."""
        environment = self._call.environment
        wait = wait_after_491(self.far.invited, environment.uniform)
        self._retry = environment.layer.timers.start(wait, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._retried = True
        self._answer = ReliableAnswer()
        if self._call.exchange is not self:  # nobody waits for it any more
            return
        self._call.environment.observer.glare("retried")
        self.far.offer(self._forwarded, self._body, TRIED_AGAIN)

    def give_way(self, request: Request) -> None:
        """The far party's own came while we waited, a re-INVITE or an UPDATE with an offer: this one is answered 491, and on
        the ACK of that `request` begins."""
        self._stop_retry()
        transaction = self.origin.usage.server
        waits = GivenWay(self.far, request)
        self._finish(491, waits)
        if transaction is not None:
            transaction.acknowledged = waits.begin
        self.origin.respond(491, why=GAVE_WAY)
        if transaction is None:  # an UPDATE, whose answer has no ACK
            waits.begin()

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        """CANCEL of the re-INVITE: passed on, and the far party's final answer decides (RFC 6141 §3.8)."""
        self._cancelled = True
        if self._retry is not None or not self._sent:
            self._stop_retry()
            self._refuse(487, None, GAVE_UP)
        else:
            self.far.usage.cancel(*reasons)

    def abandoned(self) -> None:
        """BYE wins: the legs answer 487 to what is open."""
        self._stop_retry()
        self._count(487, "ended")
        self._call.hooks.tell("exchange_ended", self._call.hook_failed, self._call, self.origin, 487)

    # -- inside ------------------------------------------------------------------------------------------------

    def _under_way(self) -> bool:
        return self._call.exchange is self

    def _stop_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _finish(self, status: int, following: GivenWay | None = None) -> None:
        """No longer under way: before the answer leaves, so that what the features show is right when it arrives."""
        call = self._call
        if call.exchange is self:
            call.exchange = following
        self._count(status, "")
        call.hooks.tell("exchange_ended", call.hook_failed, call, self.origin, status)
        release_waiting(call)  # at once where a feature has answered; else behind the answer

    def _count(self, status: int, result: str) -> None:
        if not result:
            result = {408: "timeout", 481: "timeout", 487: "cancelled", 491: "glare"}.get(status, "refused")
            result = "ok" if status < 300 else result
        self._call.environment.observer.reinvite_finished(self.kind, result)

    def _failed(self, error: BaseException) -> None:
        refusal = self._refusal(error)
        self._refuse(refusal.status, None, refusal.why, refusal.reason)

    def _progress_failed(self, error: BaseException) -> None:
        """The far party has no final answer yet: the exchange goes on until then."""
        refusal = self._refusal(error)
        if self._call.exchange is self and not self._agreed and not self.far.usage.owes_ack:
            self.origin.respond(refusal.status, None, b"", refusal.reason, why=refusal.why)

    def _refusal(self, error: BaseException) -> SipError:
        refusal = status_of(error)
        if refusal is not error:
            self._call.hook_failed(error)
        return refusal


def _kind(origin: Leg, request: Request) -> str:
    """hold, resume or media: by what this party's own descriptions said before and say now."""
    try:
        before = bool(origin.descriptions.theirs) and sdp.holds(sdp.parse_streams(origin.descriptions.theirs))
        now = sdp.holds(sdp.parse_streams(request.body))
    except MalformedValue:
        return "media"
    if now == before:
        return "media"
    return "hold" if now else "resume"


def _description(body: bytes) -> Response:
    """The source of a response that carries a description of our own."""
    response = Response(200, "OK", [], [])
    response.append("Content-Type", sdp.CONTENT_TYPE)
    response.body = body
    return response
