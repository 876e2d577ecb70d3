"""Transfer (RFC 5359 §2.4, §2.5; RFC 5589): a party gives the other one to somebody else, alone, while their phone rings, or
after a word with them."""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.attended_transfer import JoinedCalls
from b2bua.feature_server.blind_transfer import BlindTransfer
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CONFIRMED, ENDED
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.referral import Referral
from b2bua.feature_server.ringing_transfer import RingingTransfer
from b2bua.sip.why import Why

NOT_HIS_OWN: Final[Why] = (None, "feature transfer: the call that Replaces names is somebody else's")


class Transfer(Feature):
    """Answers every REFER of a party that stands in a call."""

    def refer_received(self, call: Call, leg: Leg, referral: Referral) -> None:
        """A Replaces in the Refer-To names the other call of whoever transfers (RFC 5589 §7)."""
        replaces = referral.to.replaces
        if replaces is None:
            referral.accept()
            BlindTransfer(leg, referral.to.uri, referral.progress, referral.end).start()
            return
        other = call.all_calls.leg_of(replaces.call_id, replaces.to_tag, replaces.from_tag)
        if other is not None and other.party != leg.party:
            referral.refuse(603, "", NOT_HIS_OWN)
            return
        referral.accept()
        if other is None or other.ended or other.call is call or other.call.state == ENDED:
            referral.end(481)
        elif other.answered and replaces.early_only:
            referral.end(486)
        elif other.call.handover is not None:
            referral.end(491)
        elif other.call.state != CONFIRMED:
            RingingTransfer(leg, other, referral.progress, referral.end).start()
        else:
            JoinedCalls(leg, other, referral.end).start()
