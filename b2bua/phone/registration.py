"""The phone's binding at the registrar (RFC 3261 §10.2): made, refreshed in time, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.phone.agent import Agent, refresh_after
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Response
from b2bua.sip.retry_after import retry_after
from b2bua.transaction.timers import Timer

RETRY_SECONDS: Final = 30.0
"""Wait before a refresh that failed is tried again, where the server names no time."""


class Registration:
    """One binding: this phone's Contact. `changed` is called with it after every final answer."""

    def __init__(self, agent: Agent, changed: Callable[[Registration], None]) -> None:
        self.expires = 0
        """Seconds granted; 0 = not registered."""
        self.status = 0
        """The last final status; 0 before the first."""
        self._agent = agent
        self._changed = changed
        self._call_id = agent.layer.identifiers.call_id()  # RFC 3261 §10.2: the same for all REGISTERs of one client
        self._cseq = 0
        self._wanted = 0
        self._timer: Timer | None = None

    @property
    def registered(self) -> bool:
        return self.expires > 0

    def register(self, expires: int = 3600) -> None:
        """Ask for a binding of so many seconds, and keep it."""
        self._wanted = expires
        self._send()

    def unregister(self) -> None:
        """Take the binding back."""
        self._wanted = 0
        self._send()

    def stop(self) -> None:
        """No refresh any more; the binding runs out by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    def _send(self) -> None:
        self.stop()
        agent, identity = self._agent, self._agent.identity
        request = agent.request("REGISTER", f"sip:{identity.domain}", identity.aor, self._call_id, self._next_cseq())
        request.append("Expires", str(self._wanted))
        agent.send(request, self._next_cseq, self._answered)

    def _answered(self, status: int, response: Response | None) -> None:
        self.status = status
        if response is not None and status == 423 and self._longer(response):
            return
        if response is not None and 200 <= status < 300:
            self.expires = self._granted(response) if self._wanted else 0
            if self.expires:
                self._timer = self._agent.timers.start(refresh_after(self.expires), self._send)
        elif self._wanted and self.expires:
            # A refresh failed: the binding still stands for a while, so it is worth another try.
            self._timer = self._agent.timers.start(_retry_after(response), self._send)
        self._changed(self)

    def _longer(self, response: Response) -> bool:
        """423: ask again for the least that the registrar grants (RFC 3261 §10.2.8)."""
        least = response.integer("Min-Expires") or 0
        if least <= self._wanted:
            return False
        self._wanted = least
        self._send()
        return True

    def _granted(self, response: Response) -> int:
        """The seconds of our own Contact among all bindings listed (§10.2.4)."""
        ours = parse_address(self._agent.contact).uri
        for value in response.elements("Contact"):
            try:
                contact = parse_address(value)
            except MalformedValue:
                continue
            if contact.uri == ours:
                expires = contact.parameter("expires") or ""
                return int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 10 else self._wanted
        return 0


def _retry_after(response: Response | None) -> float:
    asked = None if response is None else retry_after(response)
    return float(asked or RETRY_SECONDS)
