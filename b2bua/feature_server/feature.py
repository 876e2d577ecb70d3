"""A feature: the hooks that a plugin overrides. One feature is one file, named as in RFC 5359."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from b2bua.feature_server.strike import Effect, Strike
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg
    from b2bua.feature_server.referral import Referral

FILE_MODULE: Final = "b2bua_user_feature_"
"""What the module of a file in `feature_directory` is called, before the file's own name."""

Passed = Request | None | Awaitable[Request | None]
"""A hook gives the request back, changed or not, to pass it on; None when it has dealt with it."""
PassedResponse = Response | None | Awaitable[Response | None]


class Feature:
    """Override what you need. A hook may be `async def`: the call waits for it, the server does not.

    Messages are not to be edited in place: `message.copy()` first. A hook that raises fails its call with 500; it is
    counted and logged, and the server goes on.
    """

    codes: ClassVar[Mapping[str, str]] = {}
    """Feature codes: name → what is dialled unless `feature_codes` of the configuration says otherwise, such as
    `{"forward_always": "*72"}`; "": none unless it does."""
    settings: ClassVar[Mapping[str, str]] = {}
    """Settings of users, name → what it means in a few words: `environment.users.value(leg.party, name)`."""

    faults: ClassVar[Mapping[str, str]] = {}
    """Faults on purpose, name → what it does in a few words: `b2bua fault add NAME …` sets one."""

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        """ValueError, a sentence, when the setting `name` cannot be `value`, which is not ""."""

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> Passed:
        """The caller of a new call dialled the code `name`, and `argument` behind it. All features have let the call pass
        (`call_offered`); it is this feature's to answer: `confirm(call, text)` or `SipError`, and None."""
        raise SipError(404).because("B2BUA: the feature that has the code {} does nothing with it", name)

    def message_struck(self, strike: Strike) -> Effect:
        """One of the feature's faults strikes a message on its way in or out, whatever it belongs to: what becomes of it (RFC
        3261 §18 leaves a network free to do any of it). Not async."""
        return strike.message

    def call_offered(self, call: Call, invite: Request) -> Passed:
        """A new call: `invite` is what the caller sent. To refuse it: `call.caller.respond(status)` and None."""
        return invite

    def message_offered(self, request: Request) -> Passed:
        """A MESSAGE out of a call (RFC 3428), on its way through: the request, changed or not; SipError answers it instead, one
        of the class 2xx too, and None leaves it without an answer."""
        return request

    def callee_chosen(self, call: Call, leg: Leg) -> None:
        """The call is about to be offered to the party of `leg`: whom the caller called, and each that the call goes on to. It
        may go elsewhere (`call.redirect`), to others too (`call.ring_also`), or SipError answers in this party's place."""

    def callee_refused(self, call: Call, leg: Leg, status: int, response: Response | None) -> None:
        """The party of `leg` does not take the call; without a response it did not answer (408), could not be reached, or a
        feature refused. `call.redirect` gives the call to others; SipError changes what the caller hears."""

    def callee_left(self, call: Call, leg: Leg) -> None:
        """`leg` is no part of the call any more, which goes on with others: what is kept of it may be dropped. A caller's where
        the call rings on for somebody else (a transfer)."""

    def request_received(self, call: Call, leg: Leg, request: Request) -> Passed:
        """From the party of `leg`: re-INVITE, UPDATE with an offer, PRACK with a body, INFO, MESSAGE, or the ACK of an
        INVITE without an offer. Never a BYE."""
        return request

    def response_received(self, call: Call, leg: Leg, response: Response) -> PassedResponse:
        """A response above 100 from the party of `leg`, to the INVITE, re-INVITE or other request that went there. A reliable
        1xx (RFC 3262) that a hook keeps is acknowledged when the party repeats it."""
        return response

    def refer_received(self, call: Call, leg: Leg, referral: Referral) -> Referral | None:
        """The party of `leg`, in a call that stands, wants the other one to call somebody else (RFC 3515): `referral.accept()`
        or `referral.refuse(status)`, and None. A referral that no feature takes is declined."""
        return referral

    def replaces_received(self, call: Call, leg: Leg, invite: Request) -> Passed:
        """A new call whose Replaces names the dialog of `leg`, in a call of others (RFC 3891). Who is to have it is the feature's
        to say: `replace(call, leg, invite)` and None. One that no feature takes up is refused with 403."""
        return invite

    def call_joined(self, call: Call, offerer: Leg) -> None:
        """One leg of the call is another one since. What both have agreed to, on an offer of the party of `offerer`, stands in
        their descriptions."""

    def exchange_ended(self, call: Call, leg: Leg, status: int) -> None:
        """The re-INVITE of `leg`, or its offer in an UPDATE or PRACK, is answered with this final status, whoever decided it
        (RFC 6141)."""

    def call_changed(self, call: Call) -> None:
        """State or hold of the call changed: `call.state`, `leg.holding`."""

    def call_ended(self, call: Call) -> None:
        """The call is over; called once."""
