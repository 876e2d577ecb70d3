"""The descriptions of one leg: ours has its own o= line, and what the peer last agreed to is remembered byte for byte."""

from __future__ import annotations

from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue, SipError


class SessionDescriptions:
    """What was said in completed offer/answer exchanges on one leg, and the version counter of our o= line.

    A refused offer leaves no trace in `theirs` and `ours`: phones try again with the same version.
    """

    __slots__ = ("theirs", "ours", "session_id", "version", "_host", "_last")

    def __init__(self, session_id: int, host: str) -> None:
        self.session_id = session_id
        """Of our o= line."""
        self.version = 0
        """Of our o= line: the last one that was sent."""
        self._host = host
        self._last = b""
        """Our last description; in a standing call the same object as `ours`."""
        self.theirs = b""
        """The peer's last description of a completed exchange, as sent."""
        self.ours = b""
        """Our last description of a completed exchange, as sent."""

    def resume(self, session_id: int, version: int, theirs: bytes, ours: bytes) -> None:
        """Go on after a restart: the o= line keeps its session and counts on from its last version.

        One offer may have left that no record has, under the next version: whatever we say now comes under a higher one.
        """
        self.session_id, self.version = session_id, version + 1
        self.theirs, self.ours = theirs, ours

    def renew(self) -> None:
        """What stands on our side is to be said once more, under a new version: the peer may have heard another offer."""
        self._last = b""
        self.ours = self.render(self.ours)

    def render(self, body: bytes) -> bytes:
        """The other leg's description as this leg sends it: under our own o= line, its version one up when anything
        else in it changed since the last one we sent (RFC 3264 §8). A body that is no SDP comes back as it is."""
        try:
            before, _, after = sdp.split_origin(body)
        except MalformedValue:
            return body
        if self._last:
            said, _, more = sdp.split_origin(self._last)
            if said == before and more == after:
                return self._last
        self.version += 1
        self._last = before + self._origin() + after
        return self._last

    def _origin(self) -> bytes:
        family = "IP6" if ":" in self._host else "IP4"
        address = f"IN {family} {self._host.strip('[]')}"
        return str(sdp.Origin("-", str(self.session_id), self.version, address)).encode()

    def is_refresh(self, offer: bytes) -> bool:
        """Whether the peer offers just what it agreed to last: a session refresh, nothing for the other party."""
        return bool(offer) and offer == self.theirs and bool(self.ours)

    def check_offer(self, offer: bytes) -> None:
        """SipError 488 for a re-INVITE's offer that is no SDP, or that drops m= lines (RFC 3264 §8: they never vanish)."""
        streams = len(sdp.parse_streams(offer))
        sdp.parse_origin(offer)
        if self.theirs and streams < len(sdp.parse_streams(self.theirs)):
            raise SipError(488, "", ("Warning", '399 b2bua "m= lines of the session are missing in the offer"')).because(
                "B2BUA: the offer leaves out m= lines of the session (RFC 3264 §8)"
            )

    def completed(self, theirs: bytes, ours: bytes) -> None:
        """An exchange is complete on this leg."""
        if theirs and ours:
            self.theirs, self.ours = theirs, ours
