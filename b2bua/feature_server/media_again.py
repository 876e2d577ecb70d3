"""A call with media of our own that goes on after a restart: the stream is another one, at another port, which the party is told.

    restored ── our offer, of the new stream ── 2xx ──► plays
                     └── refused, or not reached: again after a while; 408 and 481 end the call as any other
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.media_leg import MediaLeg
from b2bua.feature_server.media_usage import MediaUsage
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.streams import answer_to, offer_towards
from b2bua.sip.message import Response
from b2bua.transaction.timers import Timer

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

LATER: Final = 10.0
"""Seconds until a party is asked again that could not be reached: a phone by TCP has to come back first."""
TRIES: Final = 12
"""Then it waits in silence: it is in the call all the same, and may hang up or be retrieved."""


class MediaAgain:
    """The offer to the party across from `there`, a restored leg of media of ours."""

    def __init__(self, there: Leg) -> None:
        """SipError 480 where no stream can be had."""
        self._media = MediaLeg.once_more(there)
        assert isinstance(self._media.usage, MediaUsage)
        self._usage = self._media.usage
        self._listener = there.other
        self._offered = b""
        self._tried = 0
        self._timer: Timer | None = None

    def take_place(self, call: Call) -> MediaLeg:
        """The leg that is the party from here on."""
        media, listener = self._media, self._listener
        listener.other, media.other = media, listener
        call.all_calls.exchanged(media)
        return media

    def start(self) -> None:
        """Ask the party to listen, as soon as nothing else is under way in the call."""
        self._timer = None
        media, listener = self._media, self._listener
        if media.ended or listener.ended or listener.other is not media:
            return  # hung up, or retrieved
        self._tried += 1
        self._offered = self._usage.offer_again()
        OwnOffer(listener, self._agreed, self._refused).start(offer_towards(listener, self._offered))

    def _agreed(self, response: Response) -> None:
        media, listener = self._media, self._listener
        call = listener.call
        offer = call.exchange
        listener.usage.acknowledge()
        if isinstance(offer, OwnOffer):
            if is_sdp(response):
                answer = answer_to(media, self._offered, response.body)
                listener.descriptions.completed(response.body, offer.body)
                media.descriptions.completed(self._offered, answer)
                self._usage.acknowledge(answer)
            offer.done()
        if call.keeper is not None and call.kept:
            call.keeper.keep(call)

    def _refused(self, status: int, response: Response | None) -> None:
        if self._tried < TRIES and self._timer is None:
            self._timer = self._listener.environment.layer.timers.start(LATER, self.start)
