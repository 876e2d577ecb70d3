"""Our own credentials at a trunk: its challenges are answered with the user name and password of the settings.

Session Manager has the secret and knows the Request-URI that the trunk sees; Communication Manager counts CSeq. They share the
work as sip/proxy_answer.py says. The secret is used towards the trunk alone: towards the addresses that its name led to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.dialog.credentials import Credentials
from b2bua.sip.digest import HEADERS, MAX_ROUNDS, Challenge, parse_challenge, parse_parameters
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Request, Response
from b2bua.sip.proxy_answer import marked, round_of, rounds

MAX_ADDRESSES = 256
"""Addresses of one trunk that are remembered; at that many the memory starts anew."""
MAX_ANSWERS = 4096
"""INVITEs whose credentials are remembered for their ACK; past it the oldest are forgotten."""
_NAMES: Final = tuple(name for _, name in HEADERS)


class TrunkCredentials:
    """Of one trunk. `realm`: the one whose challenges are answered. `report` is the log."""

    def __init__(self, name: str, realm: str, credentials: Credentials, report: Callable[..., object]) -> None:
        self._name = name
        self._realm = realm
        self._credentials = credentials
        self._report = report
        self._addresses: set[tuple[str, HostPort]] = set()
        self._answers: dict[tuple[str, int], tuple[tuple[str, str], ...]] = {}
        """(Call-ID, CSeq) of an INVITE → its credentials, which its ACK carries, too (RFC 3261 §13.2.2.4)."""

    def used_on(self, flow: Flow) -> bool:
        """Whether this flow leads to the trunk, as calls out have shown."""
        return (flow.transport, flow.remote) in self._addresses

    def complete(self, request: Request, flow: Flow) -> None:
        """A request for the trunk, on its way by this flow: where it asks for credentials they are put in."""
        self._addresses.add((flow.transport, flow.remote))
        if len(self._addresses) > MAX_ADDRESSES:
            self._addresses = {(flow.transport, flow.remote)}
        given: list[tuple[str, str]] = []
        for name in _NAMES:
            if name not in request.names:
                continue
            for value in request.get_all(name):
                if round_of(value):
                    given += [(name, text) for text in self._value(value, request)]
                else:
                    given.append((name, value))
            request.remove(name)
        for name, value in given:
            request.append(name, value)
        if given and request.method == "INVITE":
            self._answers[request.call_id, request.cseq] = tuple(given)
            if len(self._answers) > MAX_ANSWERS:
                del self._answers[next(iter(self._answers))]

    def complete_ack(self, ack: Request) -> None:
        """The ACK of a 2xx has the credentials of its INVITE."""
        for name, value in self._answers.get((ack.call_id, ack.cseq), ()):
            ack.append(name, value)

    def _value(self, value: str, request: Request) -> list[str]:
        try:
            challenge = parse_challenge(value)
            if challenge.realm == self._realm:
                return [self._credentials.value(challenge, request.method, request.uri, request.body)]
        except MalformedValue:
            pass  # an algorithm that we do not have: said when the challenge came
        return []

    def hand_on(self, request: Request, response: Response) -> bool:
        """A challenge of the trunk to a request as it came to us: marked, so that it comes again; False when it is of no
        use to answer it, which the log hears."""
        done, found = rounds(request), False
        given = any(self._is_ours(value) for name in _NAMES for value in request.get_all(name))
        for asked, _ in HEADERS:
            values = response.get_all(asked)
            if not values:
                continue
            response.remove(asked)
            for value in values:
                challenge = self._answerable(value)
                if challenge is None:
                    response.append(asked, value)
                elif done >= MAX_ROUNDS or (given and not challenge.stale):
                    self._report("trunk_refuses_credentials", entity=self._name)
                    return False
                elif not found:  # one is enough: several are of several algorithms
                    response.append(asked, marked(value, done + 1))
                    found = True
        if not found:
            self._report("trunk_realm_unknown", entity=self._name, realm=self._realm)
        return found

    def _is_ours(self, value: str) -> bool:
        """Whether a request answers a challenge of this trunk, and not only of one that was asked before."""
        return bool(round_of(value)) and parse_parameters(value).get("realm") == self._realm

    def _answerable(self, value: str) -> Challenge | None:
        """A challenge of our realm by an algorithm that we know."""
        try:
            challenge = parse_challenge(value)
            if challenge.realm == self._realm and self._credentials.can_answer(challenge):
                return challenge
        except MalformedValue:
            pass
        return None
