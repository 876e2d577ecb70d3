"""Offer and answer of an endpoint (RFC 3264, RFC 6337): one audio stream, described from its own wish to hold.

What a peer said last never becomes our own wish (RFC 6337 §5.3): whoever was held offers `sendrecv` again,
whoever holds goes on to say `sendonly`, however the peer answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.flow import HostPort
from b2bua.sip.sdp import Stream

PCMU: Final = "0"
"""The payload type that every phone knows (RFC 3551 §6)."""
NAMES: Final = {PCMU: "PCMU/8000", "8": "PCMA/8000"}
"""Payload type → encoding of those that may be spoken."""

ANSWERS: Final[dict[tuple[str, bool], str]] = {
    ("sendrecv", False): "sendrecv",
    ("sendonly", False): "recvonly",
    ("recvonly", False): "sendonly",
    ("inactive", False): "inactive",
    ("sendrecv", True): "sendonly",
    ("sendonly", True): "inactive",
    ("recvonly", True): "sendonly",
    ("inactive", True): "inactive",
}
"""(direction offered, whether we hold) → direction answered (RFC 3264 §6.1, RFC 6337 §5.3)."""

OFFERS: Final = {False: "sendrecv", True: "sendonly"}
"""Whether we hold → direction offered, whatever the peer does (RFC 6337 §5.3)."""


class _Line(NamedTuple):
    """One m= line of the session: its place never changes and never goes (RFC 3264 §8)."""

    media: str
    protocol: str
    formats: str

    def codec(self, known: Sequence[str]) -> str:
        """The first of its formats that we know; "" where this is no stream for us."""
        if self.media != "audio" or self.protocol != "RTP/AVP":
            return ""
        return next((payload for payload in self.formats.split() if payload in known), "")


class _Description(NamedTuple):
    """A description of ours without its o= line, and the version that the o= line had."""

    rest: str
    version: int


class OfferAnswer:
    """One session as an endpoint sees it. Our offer is open from `offer` until `accepted` or `refused`."""

    def __init__(self, session_id: int, address: HostPort, codecs: Sequence[str] = (PCMU,)) -> None:
        """`session_id` of the o= line, unique at this host; `address` where we want media; `codecs`: payload types out of
        `NAMES`, the one that we would rather speak first."""
        self.holding = False
        """Our own wish. Set by the user of the phone and by nothing else."""
        self.plays = False
        """Whether a held peer hears music of ours."""
        self.held = False
        """Whether the peer's last description wants no media from us."""
        self.direction = ""
        """Ours, as agreed in the last completed exchange; "" before the first."""
        self.remote: HostPort | None = None
        """Where the peer wants media; None while it wants none at all or has not been heard."""
        self.address = address
        self.payload_type = int(codecs[0])
        """What we send, as agreed: the peer's choice."""
        self._session_id = session_id
        self._codecs = tuple(codecs)
        self._audio = _Line("audio", "RTP/AVP", " ".join(codecs))
        self._lines: list[_Line] = [self._audio]
        self._live: int | None = 0
        """Index of the m= line that is our audio; None when it was taken away."""
        self._offered = ""
        self._open: tuple[list[_Line], int] = (self._lines, 0)
        """The m= lines of our open offer, and which one is our audio."""
        self._sent = _Description("", 0)
        self._agreed = _Description("", 0)
        self._highest = 0

    @property
    def sends(self) -> bool:
        """Whether to send media now: agreed, wanted at an address, and we do not hold, or have music to play."""
        wanted = self.direction in ("sendrecv", "sendonly") and self.remote is not None
        return wanted and (self.plays or not self.holding)

    def end(self) -> None:
        """The call is over: nothing flows any more."""
        self.direction, self.remote = "inactive", None

    def join(self, theirs: bytes, translated: bool = False) -> None:
        """Take up a session that others have set up: its m= lines are those of the peer's last description. SipError 488
        where none of its streams is one that we can speak on. `translated`: by somebody between us, whatever its profile."""
        streams, lines = sdp.parse_streams(theirs), _read_lines(theirs)
        if translated:
            lines = [line._replace(protocol="RTP/AVP") if line.media == "audio" else line for line in lines]
        live = self._chosen(lines, streams)
        if live is None:
            raise SipError(488).because("refused: the description has no stream that could be taken up (RFC 3261 §21.4.26)")
        self._lines, self._live = lines, live

    # -- our offer ---------------------------------------------------------------------------------------------

    def offer(self) -> bytes:
        """Our description as an offer. Its version is one up when it says anything new, else the same."""
        lines, live = self._lines, self._live
        if live is None:
            # Our audio was taken away: it comes back in its old place, or in a new one at the end (RFC 3264 §8.1).
            live = next((index for index, line in enumerate(lines) if line.codec(self._codecs)), len(lines))
            lines = lines if live < len(lines) else [*lines, self._audio]
        self._open = lines, live
        self._offered = OFFERS[self.holding]
        return self._describe(lines, live, self._offered, self._codecs)

    def accepted(self, answer: bytes) -> None:
        """The peer's answer to our open offer; MalformedValue (488) when it is none: nothing is agreed then."""
        streams = sdp.parse_streams(answer)
        lines, live = self._open
        if len(streams) < len(lines):
            raise MalformedValue("SDP answer", 488)
        self._lines, self._live = lines, live
        stream = streams[live]
        self._take_codec(_read_lines(answer)[live])
        self._agree(stream, streams, _joint(self._offered, stream.direction))

    def refused(self) -> None:
        """Our offer was refused: the session is as it was before, and the same offer has the same version again."""
        self._offered = ""

    # -- the peer's offer --------------------------------------------------------------------------------------

    def answer(self, offer: bytes) -> bytes:
        """Our answer, by the table and our own wish; SipError 488 when nothing in the offer can be taken.

        The direction follows the a= line, also where the old hold by address says more (RFC 6337 §5.4).
        """
        streams = sdp.parse_streams(offer)
        sdp.parse_origin(offer)
        lines = _read_lines(offer)
        if not streams or (self.direction and len(lines) < len(self._lines)):
            raise SipError(488).because("refused: the offer has no stream, or fewer m= lines than the session (RFC 3264 §8)")
        live: int | None = self._chosen(lines, streams)
        if live is None and any(stream.port for stream in streams):
            raise SipError(488).because("refused: the offer has no stream that could be taken up (RFC 3261 §21.4.26)")
        self._lines, self._live = lines, live
        if live is None:
            # Every stream was taken away (RFC 3264 §8.2): nothing flows until somebody offers one again.
            body = self._describe(lines, live, "inactive", ())
            self._agree(Stream("audio", 0, "inactive", ""), streams, "inactive")
            return body
        direction = ANSWERS[streams[live].direction, self.holding]
        self._take_codec(lines[live])
        body = self._describe(lines, live, direction, (str(self.payload_type),))
        self._agree(streams[live], streams, direction)
        return body

    def _chosen(self, lines: list[_Line], streams: Sequence[Stream]) -> int | None:
        """The stream we speak on: the one so far, else the first that we can."""
        fitting = [index for index, line in enumerate(lines) if line.codec(self._codecs) and streams[index].port]
        return self._live if self._live in fitting else next(iter(fitting), None)

    # -- inside ------------------------------------------------------------------------------------------------

    def _take_codec(self, line: _Line) -> None:
        """Speak what the peer names first of what we know."""
        codec = line.codec(self._codecs)
        if codec:
            self.payload_type = int(codec)

    def _agree(self, stream: Stream, streams: Sequence[Stream], direction: str) -> None:
        self.direction = direction
        self.held = sdp.holds(streams)
        reachable = stream.receives and stream.port and stream.connection
        self.remote = (stream.connection, stream.port) if reachable else None
        self._agreed, self._offered = self._sent, ""

    def _describe(self, lines: list[_Line], live: int | None, direction: str, codecs: Sequence[str]) -> bytes:
        host, port = self.address
        network = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
        text = ["s=-", f"c={network}", "t=0 0"]
        for index, line in enumerate(lines):
            if index == live:
                text.append(f"m=audio {port} RTP/AVP {' '.join(codecs)}")
                text += [*(f"a=rtpmap:{codec} {NAMES[codec]}" for codec in codecs), "a=ptime:20", f"a={direction}"]
            else:
                text.append(f"m={line.media} 0 {line.protocol} {line.formats}")
        rest = "\r\n".join(text)
        self._sent = _Description(rest, self._version(rest))
        origin = sdp.Origin("-", str(self._session_id), self._sent.version, network)
        return f"v=0\r\n{origin}\r\n{rest}\r\n".encode("utf-8", "surrogateescape")

    def _version(self, rest: str) -> int:
        """RFC 3264 §8: one up when the description differs from the last one, equal only to an identical one.

        What stood before a refused offer is that description again, version included: a refusal leaves no trace.
        """
        for known in (self._sent, self._agreed):
            if known.rest == rest:
                return known.version
        self._highest += 1
        return self._highest


def _read_lines(body: bytes) -> list[_Line]:
    """The m= lines, of which `parse_streams` has found that each has its fields."""
    found = []
    for line in body.decode("utf-8", "surrogateescape").splitlines():
        if line.startswith("m="):
            fields = line[2:].split()
            found.append(_Line(fields[0], fields[2], " ".join(fields[3:])))
    return found


def _joint(offered: str, answered: str) -> str:
    """Our direction after our offer and the peer's answer; an answer that the table forbids gives what both allow."""
    sending = offered in ("sendrecv", "sendonly") and answered in ("sendrecv", "recvonly")
    receiving = offered in ("sendrecv", "recvonly") and answered in ("sendrecv", "sendonly")
    if sending:
        return "sendrecv" if receiving else "sendonly"
    return "recvonly" if receiving else "inactive"
