"""An event publication agent (RFC 3903 §4): publishes one party's state for one call, and takes it back at the end.

Per address of record one PUBLISH is outstanding; what changes meanwhile folds to the newest state and goes with the new
entity tag. A PUBLISH that fails never fails a call: it is counted, and tried again where that can help.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from b2bua.feature_server.contract import Environment
from b2bua.sip.address import Address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.fast_tuple import new_tuple
from b2bua.sip.message import Document, Request, Response
from b2bua.sip.retry_after import retry_after
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.timers import NEVER, TICK, Timer

EXPIRES: Final = 3600
"""Seconds asked for; the compositor may grant less."""
RETRY_AFTER: Final = 5.0
"""Seconds before a failed PUBLISH is tried again when the answer does not say."""
MAX_RETRIES: Final = 5
"""Tries in a row before a publication is left alone until its next change."""
UNREACHABLE: Final = 503
"""What the transaction layer says where there is no connection (RFC 3261 §8.1.3.1)."""
_NAMES: Final = ("Max-Forwards", "From", "To", "Call-ID", "Event", "CSeq", "Expires")
FINAL_FAILURES: Final = frozenset((403, 404, 405, 410, 415, 416, 420, 489, 501, 604))
"""The compositor will not have it: no user of the domain, no such event. Trying again cannot help."""

PUBLISHED: Final = "state: what {} does in this call now, published for whoever watches it"
TAKEN_BACK: Final = "state: {} is in this call no more, its publication is taken back (RFC 3903 §4.5)"


class Publications:
    """The publications of one feature server, and the turn-taking per address of record."""

    def __init__(self, environment: Environment, event: str, content_type: str) -> None:
        self.environment = environment
        self.event = event
        self.content_type_line = f"Content-Type: {content_type}"
        self.event_line = f"Event: {event}"
        # No dialog comes of a PUBLISH: one tag serves all.
        tag = environment.layer.identifiers.tag()
        self.from_line = f"From: <sip:{environment.name}@{environment.domain}>;tag={tag}"
        """The feature server itself, it publishes for its users."""
        self._outstanding: dict[str, deque[Publication] | None] = {}

    def open(self, aor: str, call: str) -> Publication:
        """A publication for this address of record; nothing is sent before its first `update`."""
        return Publication(self, aor, call)

    def take_turn(self, publication: Publication) -> bool:
        """Whether this one may send now; if not, it is called when the AoR's outstanding PUBLISH is answered."""
        aor = publication.aor
        if aor not in self._outstanding:
            self._outstanding[aor] = None
            return True
        waiting = self._outstanding[aor]
        if waiting is None:
            self._outstanding[aor] = deque((publication,))
        elif publication not in waiting:
            waiting.append(publication)
        return False

    def end_turn(self, aor: str) -> None:
        """The outstanding PUBLISH of this AoR is answered: the next one that waits sends."""
        waiting = self._outstanding.pop(aor, None)
        if waiting:
            following = waiting.popleft()
            self._outstanding[aor] = waiting
            following.send_in_turn()


class Publication:
    """One party's state for one call."""

    __slots__ = (
        "aor", "tick", "call", "_owner", "_call_id", "_cseq", "_etag", "_document", "_wanted", "_ending", "_dead",
        "_retries", "_timer", "_sending", "_refresh_at",
    )  # fmt: skip

    def __init__(self, owner: Publications, aor: str, call: str) -> None:
        self.aor = aor
        self._owner = owner
        self.call = call
        """The call that its messages belong to."""
        self._call_id = ""
        self._cseq = 0
        self._etag = ""
        self._document: Document | None = None
        self._wanted = False
        self._ending = False
        self._dead = False
        self._retries = 0
        self._timer: Timer | None = None
        """Runs while a failed PUBLISH waits for its next try."""
        self._sending = ""
        self._refresh_at = 0.0
        """When the published state is to be renewed, on the clock of the timers."""
        self.tick = NEVER
        """Of the wheel (`timers.Waiting`): when we look whether that time has come. It stays while newer states put the time
        off, so few timers are started."""

    def update(self, document: Document) -> None:
        """Publish this state; while an answer is awaited only the newest is kept."""
        self._document = document
        self._wanted = True
        self._go()

    def end(self) -> None:
        """Take the publication back (Expires 0) once the newest state has gone out."""
        self._ending = True
        self._go()

    # -- sending -----------------------------------------------------------------------------------------------

    def _go(self) -> None:
        if not self._dead and (self._wanted or self._ending) and self._owner.take_turn(self):
            self.send_in_turn()

    def send_in_turn(self) -> None:
        """Send what is due; called when no other PUBLISH for this address of record is outstanding."""
        self._stop_timer()
        if self._dead:
            self._owner.end_turn(self.aor)
        elif self._wanted and self._document is not None:
            self._wanted = False
            self._send(self._document, EXPIRES, "state")
        elif self._ending and self._etag:
            self._send(None, 0, "removal")
        else:
            if self._ending:
                self._die()
            self._owner.end_turn(self.aor)

    def _send(self, document: Document | None, expires: int, what: str) -> None:
        owner = self._owner
        environment, etag = owner.environment, self._etag
        aor, call_id = self.aor, self._call_id
        if not call_id:
            call_id = self._call_id = environment.layer.identifiers.call_id()
        self._cseq = cseq = self._cseq + 1
        lines = [
            "Max-Forwards: 70", owner.from_line, f"To: <{aor}>", f"Call-ID: {call_id}", owner.event_line,
            f"CSeq: {cseq} PUBLISH", f"Expires: {expires}",
        ]  # fmt: skip
        last = owner.content_type_line if document is not None else "Content-Length: 0"
        if etag:
            names = [*_NAMES, "SIP-If-Match", "Content-Type" if document is not None else "Content-Length"]
            lines += (f"SIP-If-Match: {etag}", last)
        else:
            names = [*_NAMES, "Content-Type" if document is not None else "Content-Length"]
            lines.append(last)
        request = Request("PUBLISH", aor, names, lines)
        request.remember(call_id, cseq, "PUBLISH", None, new_tuple(Address, ("", aor, "", "")))
        if document is not None:
            request.defer_body(document)
        request.call = self.call
        request.why = (None, PUBLISHED if document is not None else TAKEN_BACK, aor)
        self._sending = what
        environment.layer.send_request(request, environment.link, self)

    # -- answers -----------------------------------------------------------------------------------------------

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        status = response.status
        if status < 200:
            return
        owner = self._owner
        owner.environment.observer.published(owner.event, status)
        if status < 300:
            self._accepted(response)
        elif status == 412 and self._etag:
            # The compositor forgot us: publish the newest state as if for the first time (RFC 3903 §4.1).
            self._etag = ""
            self._wanted = self._sending != "removal"
        elif status in FINAL_FAILURES:
            self._die()
        else:
            self._try_later(response)
        self._next()

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._owner.environment.observer.published(self._owner.event, status)
        if status == UNREACHABLE and not self._ending:
            self._retries = 0  # it has not heard us: tried until there is a connection again, or its lamps would go out
        self._try_later(None)
        self._next()

    def _accepted(self, response: Response) -> None:
        self._retries = 0
        if self._sending == "removal":
            self._etag = ""
            self._die()
            return
        self._etag = response.get("SIP-ETag") or ""
        if not self._ending:
            # Refreshed by publishing the same state again, well before it would lapse.
            seconds = (_granted(response) or EXPIRES) * 0.8
            timers = self._owner.environment.layer.timers
            self._refresh_at = at = timers.now() + seconds
            if self.tick == NEVER or self.tick * TICK > at + TICK:
                timers.put(self, seconds)

    def _die(self) -> None:
        """Nothing is sent any more."""
        self._dead = True
        self.tick = NEVER

    def _next(self) -> None:
        self._owner.end_turn(self.aor)
        if self._timer is None and (self._wanted or self._ending):
            self._go()

    def expire(self) -> None:
        """From the wheel: renew the state if its time has come, else look again then."""
        self.tick = NEVER
        timers = self._owner.environment.layer.timers
        left = self._refresh_at - timers.now()
        if left > 0:
            timers.put(self, left)
        elif not self._ending:
            self._wanted = True
            self._go()

    def _try_later(self, response: Response | None) -> None:
        self._retries += 1
        if self._retries > MAX_RETRIES:
            self._retries = 0
            if self._ending:
                self._die()
            return
        self._wanted = self._sending == "state" or self._wanted
        wait = retry_after(response) if response is not None else None
        seconds = RETRY_AFTER if wait is None else float(min(max(wait, 1), 60))
        self._stop_timer()
        self._timer = self._owner.environment.layer.timers.start(seconds, self._refresh_or_end)

    def _refresh_or_end(self) -> None:
        self._timer = None
        self._go()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _granted(response: Response) -> int | None:
    """The Expires of an answer; None where there is none that can be read."""
    try:
        return response.integer("Expires")
    except MalformedValue:
        return None
