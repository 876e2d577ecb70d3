"""Overload control: new work that comes too late is refused, so that what stands goes on (RFC 6357 §2; RFC 3261 §21.5.4).

The measure is how long a request has waited before it was read. When requests have come late for a while (a single pause of
the machine is no overload, nor are a few requests), a new one that has waited for `LATE` is refused at once, for the price of
parsing it: by the time it were answered its sender would repeat it, and all work on it would be lost. So the queue never grows
longer than that, and the server is never idle while something waits. Requests in a dialog,
refreshes of what stands here, ACK, CANCEL and everything from a feature server are never refused: they belong to work
that is half done. Should these alone be too much, because each new call brings more work later than now, a rate of new
requests is found that can be sustained. Draining refuses all that is new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final

from b2bua.observer import Observer
from b2bua.session_manager.links import Links
from b2bua.session_manager.location import Location
from b2bua.session_manager.stateless_refusal import stateless_refusal
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.sip.why import Why
from b2bua.transaction.transaction_user import Verdict

LATE: Final = 0.1
"""Seconds that a new request may have waited: a fifth of T1, after which it is sent again."""
PROVEN_LATE: Final = 0.3
"""Seconds for one with credentials: it has been challenged, so work for it has been done already."""
PERSISTENT: Final = 0.3
"""Seconds for which requests must have come late before any is refused."""
A_QUEUE: Final = 10
"""New requests that must have come late meanwhile, or in one second: fewer are late because the machine has others to serve,
and to refuse them would help nobody."""
CALM: Final = 0.5
"""Seconds without a late request after which that begins anew."""
FAR_TOO_LATE: Final = 0.3
"""Seconds that nothing ought to wait: what must not be refused is too much by itself."""
PERIOD: Final = 1.0
"""Seconds after which the rate is looked at anew."""
_REMEMBERED: Final = 10
"""Periods of which the best is the first rate that is tried."""
_FAR_TOO_LATE_PERIODS: Final = 2
"""Periods in a row in which something waited far too long: one may be a pause of the machine's."""
_FALL: Final = 0.9
_RISE: Final = 1.05
_QUIET: Final = 10
"""Periods without a refusal after which the overload is over."""
_NEW: Final = frozenset(("INVITE", "REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"))
"""Methods that begin something when they stand outside of a dialog."""


OVERLOADED: Final[Why] = (None, "overload: requests come late here, so nothing new is taken")
DRAINING: Final[Why] = (None, "overload: this server drains, so nothing new is taken")


class Admission:
    """Decides which new requests are taken.

    `waited()`: seconds that the message being handled lay in the kernel. `now` gives monotonic seconds; `report` takes one
    line for the log.
    """

    def __init__(
        self, links: Links, location: Location, observer: Observer, waited: Callable[[], float], now: Callable[[], float],
        report: Callable[..., object],
    ) -> None:  # fmt: skip
        self._links = links
        self._location = location
        self._observer = observer
        self._waited = waited
        self._now = now
        self._report = report
        self.draining = False
        """Whether nothing new is taken any more."""
        self.share = 1.0
        """The part of the new requests that was taken in the last period."""
        self._late = 0.0
        self._late_since = self._late_last = -inf
        self._late_new = 0
        """New requests that have come late since then."""
        self._longest = 0.0
        self._far_too_late = 0
        """Periods in a row."""
        self._rate: float | None = None
        """New requests a second that are taken at most; None: all that are not late."""
        self._tokens = 0.0
        self._filled_at = self._period_began = now()
        self._taken = self._refused = self._over_rate = 0
        self._rates: deque[float] = deque(maxlen=_REMEMBERED)
        self._quiet = _QUIET

    # -- the measure -------------------------------------------------------------------------------------------

    def turned(self, late: float) -> None:
        """A turn of the event loop came so many seconds late: what waits on connections has waited for as long."""
        self._late = late
        self._longest = max(self._longest, late, self._waited())
        length = self._now() - self._period_began
        if length >= PERIOD:
            self._end_period(length)

    def _end_period(self, length: float) -> None:
        new = self._taken + self._refused
        self.share = self._taken / new if new else 1.0
        self._rates.append(self._taken / length)
        self._far_too_late = self._far_too_late + 1 if self._longest > FAR_TOO_LATE and max(self._rates) >= A_QUEUE else 0
        if self._far_too_late >= _FAR_TOO_LATE_PERIODS:
            rate = max(self._rates) if self._rate is None else self._rate
            self._rate = max(rate * _FALL, 1.0)
        elif self._rate is not None and self._over_rate:
            self._rate *= _RISE
        self._tell(new)
        self._period_began += length
        self._taken = self._refused = self._over_rate = 0
        self._longest = 0.0

    def _tell(self, new: int) -> None:
        """One line when an overload begins, one when it is over."""
        if self._refused and not self.draining:
            if self._quiet >= _QUIET:
                self._report("overloaded", refused=self._refused, new=new)
            self._quiet = 0
        elif self._quiet < _QUIET:
            self._quiet += 1
            if self._quiet == _QUIET:
                self._rate = None
                self._report("overload_over")

    # -- the decision ------------------------------------------------------------------------------------------

    def refusal(self, request: Request, flow: Flow) -> Verdict:
        """True when the request may pass, else the response that it gets."""
        method = request.method
        if method not in _NEW or (method != "REGISTER" and request.to.tag):
            return True
        wait = max(self._waited(), self._late)
        late = wait > LATE
        if not late and self._rate is None and not self.draining:
            self._taken += 1
            return True
        persists = late and self._persists()
        if self._links.of(flow) is not None or self._goes_on(request, method):
            return True
        self._late_new += late
        overloaded = self._rate is not None or (persists and self._late_new >= A_QUEUE)
        if not self.draining and (not overloaded or self._in_time(request, wait)):
            self._taken += 1
            return True
        self._refused += 1
        self._observer.overload_rejected("draining" if self.draining else "overload")
        response = stateless_refusal(request)
        response.why = DRAINING if self.draining else OVERLOADED
        return response

    def _persists(self) -> bool:
        """A late request is here: whether they have come late for a while."""
        now = self._now()
        if now - self._late_last > CALM:
            self._late_since = now
            self._late_new = 0
        self._late_last = now
        return now - self._late_since >= PERSISTENT

    def _goes_on(self, request: Request, method: str) -> bool:
        """Whether a request renews something that stands here: a publication, a binding."""
        if method == "REGISTER":
            try:
                return bool(self._location.bindings(request.to.parsed_uri().username))
            except MalformedValue:
                return False
        return method == "PUBLISH" and "SIP-If-Match" in request.names

    def _in_time(self, request: Request, wait: float) -> bool:
        names = request.names
        if "Proxy-Authorization" in names or "Authorization" in names:
            return wait <= PROVEN_LATE
        return wait <= LATE and (self._rate is None or self._take_token(self._rate))

    def _take_token(self, rate: float) -> bool:
        now = self._now()
        self._tokens = min(self._tokens + (now - self._filled_at) * rate, max(2.0, rate * 0.05))
        self._filled_at = now
        if self._tokens < 1.0:
            self._over_rate += 1
            return False
        self._tokens -= 1.0
        return True
