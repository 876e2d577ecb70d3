"""The session timer of one leg (RFC 4028): its terms, its place on the timer wheel, and what is done when it wants something.

Both legs have one, on their own: a phone that vanished is noticed on its side, and the call ends on both. Where a phone
knows nothing of timers, or leaves the refreshes to us, Communication Manager refreshes.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from b2bua.dialog.session_terms import REFRESHING, TIMER, SessionTerms
from b2bua.dialog.session_timer import Action, Event, SessionTimer
from b2bua.feature_server.refresh import Refresh
from b2bua.sip.message import Request, Response
from b2bua.transaction.timers import NEVER, TICK

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg

BUSY_SECONDS: Final = 0.5
"""How long a refresh waits for a re-INVITE that is under way: its own 2xx refreshes this leg, too."""
LOST: Final = frozenset((408, 481))
"""Answers to a refresh by which the dialog is over (RFC 4028 §10, RFC 3261 §12.2.1.2)."""
ALIVE: Final = frozenset((400, 401, 403, 405, 406, 407, 415, 420, 421, 422, 486, 488, 489, 500, 501, 505, 513, 600, 603, 606))
"""Refusals that come from the phone itself, and not from a proxy that does not reach it. Without an agreed timer the
refresh only asks whether the phone is there."""
NO_UPDATE: Final = frozenset((405, 501))


EXPIRED: Final = "session timer: {} s are over, or the refresh was answered as in no dialog: BYE to both (RFC 4028 §10)"


class LegSession:
    """Asked by the leg about each INVITE and UPDATE; without timers (`expires` 0) it does nothing."""

    __slots__ = ("terms", "timer", "tick", "_leg", "_raised", "_refused")

    def __init__(self, leg: Leg, expires: int, minimum: int) -> None:
        self.terms = SessionTerms(expires, minimum) if expires else None
        self.timer = SessionTimer()
        self._leg = leg
        self.tick = NEVER
        """It stands on the timer wheel itself, and stays where it is while refreshes put the time off."""
        self._raised = False
        """Whether the request under way has been sent again with a larger interval."""
        self._refused = 0
        """Status by which the last try of a refresh was refused."""

    @property
    def updates(self) -> bool:
        """Whether a refresh may be an UPDATE."""
        return self.terms is not None and self.terms.updates

    @property
    def interval(self) -> int:
        """Seconds that the session lives from one refresh to the next; 0 where nothing is agreed."""
        return 0 if self.terms is None else self.terms.interval

    # -- over a restart ----------------------------------------------------------------------------------------

    def agreement(self) -> tuple[int, bool, bool, float]:
        """What is agreed: seconds of the interval (0: nothing), whether we refresh, whether the peer knows of it, and when,
        on the clock of the timers."""
        terms = self.terms
        if terms is None or self.timer.wake == inf:
            return 0, False, False, 0.0
        return terms.interval, terms.ours, terms.negotiated, self.timer.agreed_at

    def resume(self, interval: int, ours: bool, negotiated: bool, updates: bool, agreed_at: float) -> None:
        """Go on with what was agreed; when the session is over by now, it ends with the next tick."""
        if self.terms is not None and interval:
            self.terms.resume(interval, ours, negotiated, updates)
            self.timer.agreed(agreed_at, interval, ours)
            self._arm()

    # -- the requests and responses of the leg -----------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Complete a request of ours (§7.1, §7.4): every one says what we support, INVITE and UPDATE the interval."""
        if self.terms is None:
            return
        request.append("Supported", TIMER)
        if request.method in REFRESHING:
            self.terms.ask(request)

    def accepted(self, response: Response) -> None:
        """A 2xx to an INVITE or UPDATE of ours."""
        if self.terms is not None and not self._leg.ended:
            self.terms.accepted(response)
            self._restart()

    def too_small(self, response: Response) -> bool:
        """A 422: whether the same request goes out once more, with a larger interval."""
        if self.terms is None or self._raised or not self.terms.too_small(response):
            return False
        self._raised = True
        return True

    def check(self, request: Request) -> None:
        """An INVITE or UPDATE of the party; SipError 422 when it wants too short an interval."""
        if self.terms is not None:
            self.terms.check(request)

    def answer(self, request: Request, response: Response) -> None:
        """Complete our 2xx to an INVITE or UPDATE of the party. Before the call stands there is no session to time."""
        if self.terms is not None and self._leg.answered and not self._leg.ended:
            self.terms.answer(request, response)
            self._restart()

    # -- the outcome of a refresh ------------------------------------------------------------------------------

    def refused(self, method: str, status: int, response: Response | None, wait: float) -> None:
        """Our refresh failed (RFC 4028 §10). `wait`: seconds until another try where the status allows one."""
        terms = self.terms
        assert terms is not None
        if status in LOST:
            self._do(self.timer.fire(Event.LOST, self._now()))
        elif method == "UPDATE" and status in NO_UPDATE:
            terms.updates = False
            self.defer(0)
        elif response is not None and status == 422 and self.too_small(response):
            self.defer(0)
        elif not terms.negotiated and status in ALIVE:
            self._restart()
        else:
            again, self._refused = status != self._refused or status == 491, status
            self.defer(wait if again else inf)

    def defer(self, wait: float) -> None:
        """The refresh is tried again after so many seconds, but for the session's end."""
        self._do(self.timer.fire(Event.DEFERRED, self._now(), wait))

    def renew(self) -> None:
        """Count the refresh as done: there is none that we could send."""
        self._restart()

    def stop(self) -> None:
        """The leg is over."""
        self.tick = NEVER
        self.timer.fire(Event.STOPPED, 0)

    # -- inside ------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._leg.environment.layer.timers.now()

    def _restart(self) -> None:
        terms = self.terms
        assert terms is not None
        self._raised, self._refused = False, 0
        self.timer.agreed(self._now(), terms.interval, terms.ours)
        self._arm()

    def _arm(self) -> None:
        wake = self.timer.wake
        if wake == inf:
            self.tick = NEVER
        elif self.tick == NEVER or self.tick * TICK > wake:
            timers = self._leg.environment.layer.timers
            timers.put(self, wake - timers.now())

    def expire(self) -> None:
        """From the timer wheel: the time has come, or was put off meanwhile."""
        self.tick = NEVER
        now = self._now()
        if now < self.timer.wake:
            self._arm()
        else:
            self._do(self.timer.due(now))

    def _do(self, action: Action) -> None:
        self._arm()
        leg = self._leg
        if action is Action.REFRESH:
            if not Refresh.begin(leg):
                self.defer(BUSY_SECONDS)
        elif action is Action.END:
            if isinstance(leg.call.exchange, Refresh):
                leg.call.exchange.expired(leg)
            leg.call.over_because = (None, EXPIRED, self.interval)
            leg.call.finish("timed_out", ("Reason", 'SIP;cause=408;text="Session expired"'))
