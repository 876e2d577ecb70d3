"""What one dialog agreed about its session timer, and the headers that say so (RFC 4028 §4–§9), as UAC and as UAS."""

from __future__ import annotations

from typing import Final

from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.session_expires import UAC, UAS, SessionExpires, session_expires

TIMER: Final = "timer"
"""The option tag."""
SHORTEST: Final = 90
"""Seconds that Min-SE means where it is not there, and the least that it may say (RFC 4028 §5)."""

REFRESHERS: Final[dict[tuple[bool, str], str]] = {
    (False, ""): UAS,
    (True, ""): UAC,
    (True, UAC): UAC,
    (True, UAS): UAS,
}
"""RFC 4028 table 2: (whether the UAC supports timers, the refresher it asks for) → refresher in our response.

Where the choice is ours the peer refreshes: whoever says that it can, may. The two rows marked NA are not here.
"""
NOT_ALLOWED: Final = frozenset(((False, UAC), (False, UAS)))
"""The rows of table 2 that cannot be: a refresher named by a UAC that does not support timers. Treated as row 1."""

REFRESHING: Final = frozenset(("INVITE", "UPDATE"))
"""The methods that refresh a session and carry Session-Expires and Min-SE (RFC 4028 table 1)."""


class SessionTerms:
    """One dialog's terms. `expires` is the interval that we want, `minimum` the shortest that we take, in seconds."""

    __slots__ = ("expires", "minimum", "interval", "ours", "negotiated", "updates", "_least", "_established")

    def __init__(self, expires: int, minimum: int) -> None:
        self.expires = expires
        self.minimum = minimum
        self.interval = 0
        """Seconds agreed; 0 before the first 2xx."""
        self.ours = True
        """Whether we refresh."""
        self.negotiated = False
        """Whether the peer supports session timers; else the timer is for our own benefit alone (§7.2)."""
        self.updates = False
        """Whether the peer takes UPDATE: by its last Allow."""
        self._least = 0
        """The largest Min-SE seen: of 422s, of requests."""
        self._established = False

    def resume(self, interval: int, ours: bool, negotiated: bool, updates: bool) -> None:
        """Go on after a restart with what was agreed."""
        self.interval, self.ours, self.negotiated, self.updates = interval, ours, negotiated, updates
        self._established = True

    # -- as UAC ------------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Write into an INVITE or UPDATE of ours what we want (§7.1) or have (§7.4)."""
        least = max(self._least, self.minimum)
        expires = max(self.interval or self.expires, self._least, self.minimum)
        refresher = (UAC if self.ours else UAS) if self.interval else ""
        request.append("Session-Expires", str(SessionExpires(expires, refresher)))
        if self._least or least > SHORTEST:
            request.append("Min-SE", str(max(least, SHORTEST)))

    def accepted(self, response: Response) -> None:
        """A 2xx to an INVITE or UPDATE of ours (§7.2). A peer that does not answer about timers leaves them to us; one
        that names an interval below our minimum is not refreshed more often than that (§11.1)."""
        self.hear(response)
        try:
            given = session_expires(response)
        except MalformedValue:
            given = None  # as if it were not there: the call need not suffer
        if not self._established:
            self._established, self._least = True, 0  # §7.4: only who is on the path of the dialog counts from now on
        self.negotiated = given is not None
        self.ours = given is None or given.refresher != UAS
        self.interval = max(given.seconds if given is not None else self.expires, self.minimum)

    def too_small(self, response: Response) -> bool:
        """A 422 (§7.3): whether asking again is worth while, with the Min-SE that it names."""
        try:
            least = response.integer("Min-SE") or 0
        except MalformedValue:
            return False
        if least <= max(self._least, self.interval or self.expires, self.minimum):
            return False  # that is what we asked for
        self._least = least
        return True

    # -- as UAS ------------------------------------------------------------------------------------------------

    def check(self, request: Request) -> None:
        """Read an INVITE or UPDATE of the peer; SipError 422 for an interval that is too short for us (§9)."""
        check_interval(request, self.minimum)
        self._least = max(self._least, request.integer("Min-SE") or 0)
        self.hear(request)

    def answer(self, request: Request, response: Response) -> None:
        """Agree, and write into our 2xx what is agreed (§9). A peer without timers hears nothing of ours."""
        asked = session_expires(request)
        supports = TIMER in request.tokens("Supported")
        least = max(request.integer("Min-SE") or 0, self.minimum)
        wanted = max(self.expires, least)
        self._established = True
        self.negotiated = supports or (asked is not None and asked.seconds >= least)
        self.interval = wanted if asked is None or not self.negotiated else min(asked.seconds, wanted)
        refresher = REFRESHERS.get((supports, asked.refresher if asked is not None else ""), UAS)
        self.ours = refresher == UAS
        if not self.negotiated:
            return
        if supports:
            response.append("Require", TIMER)
        response.append("Supported", TIMER)
        response.append("Session-Expires", str(SessionExpires(self.interval, refresher)))

    # -- both --------------------------------------------------------------------------------------------------

    def hear(self, message: Message) -> None:
        """Take from the peer's Allow whether it takes UPDATE; without one what is known stays."""
        if "Allow" in message.names:
            self.updates = "UPDATE" in message.elements("Allow")


def check_interval(request: Request, minimum: int) -> None:
    """SipError 422 + Min-SE for an INVITE or UPDATE whose sender wants a shorter session interval (RFC 4028 §9).

    One that does not support timers is not refused: a proxy on the way wrote that header, and the call would fail for it.
    """
    asked = session_expires(request)
    if asked is not None and asked.seconds < minimum and TIMER in request.tokens("Supported"):
        raise SipError(422, "", ("Min-SE", str(max(minimum, SHORTEST)))).because(
            "session timer: the interval that is asked for is below the least (RFC 4028 §9)"
        )
