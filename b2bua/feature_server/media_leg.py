"""The leg of a party that is no phone: media of our own (an echo, a tone, a file), which answers as an endpoint does.

To the call it is a leg like any other: INVITEs go to it and answers come back, so that hold, offerless INVITEs and lamps work
as with a phone. Only its dialog has no messages: nobody is at its other end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.leg_session import LegSession
from b2bua.feature_server.media_usage import MediaUsage
from b2bua.sip.address import parse_address
from b2bua.sip.errors import SipError

if TYPE_CHECKING:
    from b2bua.feature_server.contract import Environment, MediaStream

CODECS = ("0", "8")
"""PCMU and PCMA."""


class MediaLeg(Leg):
    """Owns its stream from the beginning to its end."""

    __slots__ = ()

    def __init__(self, there: Leg, source: str) -> None:
        """In the place of `there`, a leg in whose dialog nothing was said. SipError 480 where no stream can be had."""
        stream = open_stream(there.environment, source, there.other)
        super().__init__(there.call, there.environment, there.role, there.dialog, there.party)
        session = OfferAnswer(there.environment.layer.identifiers.number(), stream.address, CODECS)
        self.usage = MediaUsage(self, session, stream)
        self.usage.dialog = self.dialog
        self.session = LegSession(self, 0, 0)  # we know that we are there
        self.early, self.source, self.has_lamp = there.early, source, there.has_lamp

    @classmethod
    def once_more(cls, there: Leg) -> MediaLeg:
        """In the place of a leg of an earlier process that was media of ours: another stream of the same source, which nobody
        hears until it is offered. SipError 480 where none can be had."""
        made = cls(there, there.source)
        made.descriptions, made.has_lamp = there.descriptions, False
        made.answered = made.confirmed = made.restored = True
        made.holding, made.known_as, made.invited, made.note = there.holding, there.known_as, there.invited, there.note
        made.reserved = there.reserved
        return made

    def release(self, *headers: tuple[str, str]) -> None:
        """The call is over: so is the stream."""
        if not self.ended:
            self.over()


def open_stream(environment: Environment, source: str, listener: Leg) -> MediaStream:
    """A stream towards the party of this leg, at the address by which it knows us; SipError 480 where there is none."""
    if environment.media is None:
        raise SipError(480, "No Media").because("B2BUA: there is no media of our own in this process")
    return environment.media.open(source, parse_address(listener.dialog.contact).parsed_uri().bare_host)
