"""Music for one party of a standing call, in place of the other one's media (RFC 7088 §2; RFC 5359 §2.3).

    offered ── 2xx ──► playing      the party's leg says where our stream comes from; the other leg knows nothing of it
       └───── else ──► over         what stood stands: the plain hold

Where media go through a relay, so does this: its offer and the answer pass it first. Whatever the party agrees on next (the
resume, a re-INVITE of its own, another leg) takes the music's place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.media_leg import CODECS, open_stream
from b2bua.feature_server.music_offer import MusicOffer
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.message import Response
from b2bua.sip.sdp import parse_streams, protocol_of

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


class Music:
    """One stream to the party of `leg`, from `start` to `stop`. Owns its port."""

    def __init__(self, leg: Leg, source: str, refused: Callable[[int], None]) -> None:
        """`refused` hears why there is none after all; not after `stop`. SipError where no stream can be had."""
        environment = leg.environment
        self._leg = leg
        self._refused = refused
        self._stream = open_stream(environment, source, leg)
        session = OfferAnswer(environment.layer.identifiers.number(), self._stream.address, CODECS)
        session.holding = session.plays = True  # it is to hear us, and we do not want to hear it
        self._session = session
        self._offer = MusicOffer(leg, self._describe, self._accepted, self._not_accepted)
        self._relayed = b""
        """Our offer as the relay wants it said; b"" where none does."""
        self._joined = b""
        """The party's description that it was made for."""
        self._playing = False
        self._over = False

    def start(self) -> None:
        """Offer it as soon as nothing else is under way in the call."""
        leg, relay = self._leg, self._leg.environment.relay
        if relay is None:
            self._offer.start()
            return
        self._joined = leg.descriptions.theirs
        try:
            self._session.join(self._joined, translated=True)
        except SipError as error:
            self._not_accepted(error.status, None)
            return
        protocol, name = protocol_of(self._joined), self._name()
        relay.offer(leg.call.id, name, leg.dialog.call_id, self._session.offer(), protocol, self._offer_relayed)

    def _offer_relayed(self, body: bytes | None) -> None:
        relay = self._leg.environment.relay
        if self._over or relay is None:
            return
        if body is None and relay.needed:
            self._not_accepted(480, None)
            return
        self._relayed = body or b""
        self._offer.start()

    def _name(self) -> str:
        """Ours at the relay: the same for all music that this party hears."""
        return f"music-{self._leg.dialog.call_id}"

    @property
    def stands(self) -> bool:
        """Whether the party hears it, or is about to: nothing else has been agreed on since."""
        return not self._over and (not self._playing or self._leg.descriptions.ours == self._offer.body)

    def stop(self) -> None:
        """Nobody wants it any more. What the party is to hear now is the caller's care, if it was told of the music."""
        self._over = True
        self._offer.give_up()
        self._stream.close()

    def _describe(self) -> bytes:
        """An offer on the m= lines that the party's session has by now."""
        descriptions = self._leg.descriptions
        if self._relayed:
            if descriptions.theirs != self._joined:
                raise SipError(491).because(
                    "glare: the held party has changed its description meanwhile"
                )
            return descriptions.render(self._relayed)
        self._session.join(descriptions.theirs)
        return descriptions.render(self._session.offer())

    def _accepted(self, response: Response) -> None:
        leg, relay = self._leg, self._leg.environment.relay
        leg.usage.acknowledge()
        self._offer.done()
        try:
            described = is_sdp(response) and bool(parse_streams(response.body))
        except MalformedValue:
            described = False
        if not described:
            self._not_accepted(488, response)
            return
        leg.descriptions.completed(response.body, self._offer.body)
        self._playing = True
        if leg.call.keeper is not None and leg.call.kept:
            leg.call.keeper.keep(leg.call)
        if self._relayed and relay is not None:
            relay.answer(leg.call.id, self._name(), leg.dialog.call_id, response.body, "RTP/AVP", self._answered)
        else:
            self._answered(response.body)

    def _answered(self, body: bytes | None) -> None:
        """The party's answer, as it is for us."""
        session = self._session
        if self._over:
            return
        try:
            session.accepted(body or b"")
        except SipError as error:
            self._not_accepted(error.status, None)
            return
        self._stream.send_to(session.remote if session.sends else None, session.payload_type)

    def _not_accepted(self, status: int, response: Response | None) -> None:
        if not self._over:
            self._over = True
            self._stream.close()
            self._refused(status)
