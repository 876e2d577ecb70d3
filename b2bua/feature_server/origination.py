"""A call that nobody dials: two users are called one after the other and put together (RFC 3725 §4.4, flow IV).

    first called, with an offer of no media ── 2xx ──► second called, for its offer ── 2xx ──► the first asked to answer it
          └── 3xx–6xx: nothing is left                       └── refused: the first hears BYE

The first phone shows the second one's number as its caller. Until both have agreed it is in a call with nobody, on hold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.blind_transfer import BlindTransfer
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CALLEE, CALLER, ENDED
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.leg_messages import contact_of
from b2bua.sip import sdp
from b2bua.sip.address import parse_address
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.uri import Uri, host_text

if TYPE_CHECKING:
    from b2bua.feature_server.all_calls import AllCalls

NO_MEDIA = (
    "v=0\r\no=- 0 0 IN IP4 {host}\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=inactive\r\n"
)
"""The first offer: an audio stream that goes nowhere yet. Without an m= line many phones refuse."""


class Origination:
    """One of them. `told` hears statuses: of the first phone below 200, then of the second, and a final one once."""

    def __init__(self, all_calls: AllCalls, first: Uri, second: Uri, told: Callable[[int, str], None]) -> None:
        self._all_calls = all_calls
        self._first = first
        self.target = second
        self._told = told
        self._over = False
        self.call = self._make()

    @property
    def leg(self) -> Leg:
        """The place that the second one is to take."""
        return self.call.caller

    def start(self) -> None:
        """Call the first one; SipError 480 where there are too many calls already."""
        call = self.call
        invite = Request("INVITE", str(self._first), [], [])
        invite.append("From", f"<{self.target}>;tag={call.identity[1]}")
        invite.append("To", f"<{self._first}>")
        invite.append("Call-ID", call.identity[0])
        invite.append("CSeq", "1 INVITE")
        invite.append("Max-Forwards", MAX_FORWARDS)
        invite.append("Content-Length", "0")
        invite.set_body(NO_MEDIA.format(host=host_text(self._all_calls.environment.domain)).encode(), sdp.CONTENT_TYPE)
        self._all_calls.take_in(call)
        call.start(invite)

    def progress(self, status: int, reason: str = "") -> None:
        if not self._over:
            self._told(status, reason)

    def end(self, status: int, reason: str = "") -> None:
        if self._over:
            return
        self._over = True
        self._told(status, reason)
        if status >= 300:
            self.call.finish("failed", ("Reason", f"SIP;cause={status}"))

    # -- the first one -----------------------------------------------------------------------------------------

    def _make(self) -> Call:
        environment = self._all_calls.environment
        identifiers = environment.layer.identifiers
        host, port = environment.link.remote
        ours = Uri("sip", "", host_text(host), port)
        local, remote = f"<{self.target}>", f"<{self._first}>"
        call_id, tag = identifiers.call_id(), identifiers.tag()
        call = Call(self._all_calls, identifiers.call_id(), (call_id, tag, 0))
        nobody = Dialog(identifiers.call_id(), remote, identifiers.tag(), local, str(self.target), contact_of(environment, ours))
        call.caller = Leg(call, environment, CALLER, nobody, str(self.target.without_parameters()))
        call.caller.stand_in = self._answered
        dialog = Dialog(call_id, local, tag, remote, str(self._first), contact_of(environment, ours))
        call.callee = Leg(call, environment, CALLEE, dialog, str(self._first.without_parameters()))
        call.caller.other, call.callee.other = call.callee, call.caller
        return call

    def _answered(self, status: int, source: Message | None, reason: str) -> None:
        """What a caller would hear of the first one."""
        if not reason and isinstance(source, Response) and source.status == status:
            reason = source.reason
        if status < 200:
            self.progress(status, reason)
        elif status >= 300:
            # A tick later, for the set-up ends its call itself.
            self._all_calls.environment.layer.timers.start(0, partial(self.end, status, reason))
        else:
            self._learn_address()
            self.call.callee.acknowledge_unkept()
            self._all_calls.environment.layer.timers.start(0, self._call_second)

    def _learn_address(self) -> None:
        """The first phone's Record-Route tells by which address it knows Session Manager: that stands in our Contacts from here
        on. Before, nobody could tell."""
        first = self.call.callee.dialog
        known = [uri for uri in (parse_address(value).parsed_uri() for value in first.route_set) if uri.user]
        if known:
            for dialog in (first, self.leg.dialog):
                dialog.contact = contact_of(self._all_calls.environment, known[-1])

    def _call_second(self) -> None:
        if self.call.state == ENDED:
            self.end(487)
        else:
            BlindTransfer(self.leg, self.target, self.progress, self.end).start()
