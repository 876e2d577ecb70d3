"""Descriptions that cross between two dialogs which were not set up with each other (RFC 3725 §5, RFC 3264 §8).

One of them may have had more m= lines before than the other ever had. They never vanish: what is missing stands there as
refused, and what the other does not know is cut off again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


def offer_towards(leg: Leg, offer: bytes) -> bytes:
    """Another party's offer as it is sent to this one."""
    with suppress(MalformedValue):  # what is no SDP goes on as it is: the party will say so
        offer = sdp.with_more_streams(offer, leg.descriptions.ours)
    return leg.descriptions.render(offer)


def answer_to(leg: Leg, offer: bytes, answer: bytes) -> bytes:
    """Another party's answer as this one gets it, whose offer it was."""
    with suppress(MalformedValue):
        answer = sdp.legal_answer(offer, sdp.first_streams(answer, len(sdp.parse_streams(offer))))
    return leg.descriptions.render(answer)

