"""Whether a new request is taken at all: asked by the transaction layer before any state is made for it."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.session_manager.own_routes import OwnRoutes
from b2bua.session_manager.parts import Parts
from b2bua.session_manager.source_limit import SourceLimit
from b2bua.session_manager.stateless_refusal import stateless_refusal
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.transaction.transaction_user import Verdict


class Gate:
    """First what its source may ask for (bans.py, source_limit.py), then what we can do (admission.py).

    A verdict is True where the request is taken, the response that it gets else, or None where it is dropped."""

    def __init__(self, parts: Parts, read_routes: Callable[[Request], OwnRoutes]) -> None:
        self._links = parts.links
        self._observer = parts.observer
        self._admission = parts.admission
        self._trunks = parts.trunks
        self._read_routes = read_routes
        self._bans = parts.bans
        self._banned = {} if parts.bans is None else parts.bans.standing
        self._source_limit: SourceLimit | None = None
        if parts.requests_per_source:
            now = parts.layer.timers.now
            self._source_limit = SourceLimit(parts.requests_per_source, now, parts.links, parts.observer, self._is_in_dialog)

    def proved_nothing(self, source: Flow) -> None:
        """A request with a To tag is in no dialog of ours: it counts like one out of dialog."""
        if self._source_limit is not None:
            self._source_limit.charge(source)

    def verdict_with_trunks(self, request: Request, flow: Flow) -> Verdict:
        """The same where there are trunks: what they are refused they may try elsewhere."""
        verdict = self.verdict(request, flow)
        if self._trunks is not None and isinstance(verdict, Response) and self._trunks.entities.of(flow) is not None:
            refusal = stateless_refusal(request, trunk=True)
            refusal.why = verdict.why
            return refusal
        return verdict

    def verdict(self, request: Request, flow: Flow) -> Verdict:
        if self._banned and self._is_shut_out(request, flow):
            self._observer.message_dropped("source banned")
            return None
        if self._source_limit is not None:
            verdict = self._source_limit.refusal(request, flow)
            if verdict is not True:
                return verdict
        return self._admission.refusal(request, flow)

    def _is_shut_out(self, request: Request, flow: Flow) -> bool:
        """Whether a request is from a banned source, and in no dialog of a standing call."""
        assert self._bans is not None, "somebody is banned"
        if self._links.of(flow) is not None or not self._bans.holds(flow.remote[0]):
            return False
        return not request.to.tag or request.method == "REGISTER" or not self._is_in_dialog(request)

    def _is_in_dialog(self, request: Request) -> bool:
        try:
            return self._read_routes(request).first is not None
        except SipError:
            return False
