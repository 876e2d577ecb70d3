"""Two layers face each other over a channel that loses, doubles and reorders: what RFC 3261 §17 promises holds for each user.

The client's user hears one final answer or one failure, the server's user one request, whatever the channel does; where the
call forks further on and two phones answer it, the client's user hears each (RFC 6026 §7.2). No timer is left running, and
nothing is sent oftener than the timers allow.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from b2bua.observer import Observer
from b2bua.sip.errors import SipError
from b2bua.sip.flow import HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import T1, T2, TICK, TIMEOUT
from tests.random_runs import examples
from tests.transaction.neighbours import PHONE, SERVER, Clock, FakeFlow, unsent

LOST, ONCE, TWICE, LATE, LATE_AGAIN = "lost", "once", "twice", "late", "late again"
COPIES = {LOST: (), ONCE: (0.05,), TWICE: (0.05, 0.05), LATE: (1.2,), LATE_AGAIN: (0.05, 2.0)}
"""What becomes of a datagram: seconds after which each copy arrives. None is older than T4 (RFC 3261 §17.1.1.1)."""
INVITES = 7
"""Copies that Timer A makes of an INVITE before Timer B ends it: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s."""
REQUESTS = 11
"""Copies that Timer E makes of any other request, and Timer G of a failure, before 64·T1 are over."""
LONGEST = 2 * TIMEOUT + 45.0
"""Seconds after which all is over: an answer at 40 s, then 64·T1, then 64·T1 again."""


class Plan(NamedTuple):
    """What both users do."""

    status: int
    answer_after: float
    ring_after: float | None
    cancel_after: float | None
    fork_after: float | None = None
    """Seconds after the first 2xx at which a second phone, with a To tag of its own, answers as well."""

    @property
    def forks(self) -> bool:
        return self.fork_after is not None


FIRST, SECOND = "t", "u"
"""The To tags of the phones that answer."""


class Wire(FakeFlow):
    """One end's flow; `fates` says what becomes of what is sent, in the order in which both ends send."""

    def __init__(self, channel: Channel, reliable: bool, remote: HostPort, local: HostPort) -> None:
        super().__init__(reliable, remote, local)
        self.channel = channel

    def send(self, message: Message) -> bytes:
        data = message.encode()
        self.channel.carry(self, data)
        return data

    def resend(self, data: bytes) -> None:
        self.channel.carry(self, data)

    def towards(self, remote: HostPort) -> Wire:
        return self


class Channel:
    def __init__(self, clock: Clock, fates: list[str]) -> None:
        self.clock = clock
        self.fates = fates
        self.travelling: list[tuple[float, int, Wire, bytes]] = []
        self.copies: Counter[str] = Counter()
        """How often each start line was sent."""
        self.arrived: Counter[str] = Counter()
        self.accepted: dict[str, float] = {}
        """When the first copy of a 2xx to the INVITE arrived, by its To tag."""
        self.number = 0

    def carry(self, source: Wire, data: bytes) -> None:
        name = kind_of(data)
        self.copies[name] += 1
        fate = ONCE if source.reliable or self.number >= len(self.fates) else self.fates[self.number]
        self.number += 1
        for delay in COPIES[fate]:
            self.travelling.append((self.clock.now() + delay - TICK / 2, self.number, source, data))

    def due(self) -> list[tuple[Wire, bytes]]:
        now = self.clock.now()
        due = sorted((entry for entry in self.travelling if entry[0] <= now), key=lambda entry: entry[:2])
        self.travelling = [entry for entry in self.travelling if entry[0] > now]
        for _, _, _, data in due:
            name = kind_of(data)
            self.arrived[name] += 1
            if name == "200 INVITE":
                self.accepted.setdefault(to_tag_of(data), now)
        return [(source, data) for _, _, source, data in due]


def kind_of(data: bytes) -> str:
    """`INVITE`, `200 INVITE`."""
    head = data.decode().split("\r\n")
    method = next(line for line in head if line.startswith("CSeq")).split()[-1]
    first = head[0].split()
    return f"{first[1]} {method}" if first[0] == "SIP/2.0" else method


def to_tag_of(data: bytes) -> str:
    return parse_message(data).to.tag


class Caller:
    """The client's user; it acknowledges every 2xx (RFC 3261 §13.2.2.4)."""

    def __init__(self, layer: TransactionLayer, flow: Wire) -> None:
        self.layer, self.flow = layer, flow
        self.finals: list[tuple[int, str]] = []
        """Status and To tag of each final answer; a 2xx that is repeated stands here once."""
        self.failures: list[int] = []
        self.unmatched: list[Response] = []
        self.errors: list[BaseException] = []

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status < 200:
            assert not self.finals, "a provisional answer after the final one"
            return
        final, success = (response.status, response.to.tag), response.cseq_method == "INVITE" and response.status < 300
        if not (success and final in self.finals):
            self.finals.append(final)
        if success:
            self.layer.send_ack(unsent("ACK", to_tag=response.to.tag), self.flow)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self.failures.append(status)

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        raise SipError(501)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        raise AssertionError("nobody cancels a caller")

    def ack_received(self, ack: Request, flow: object) -> None:
        raise AssertionError("nobody acknowledges a caller")

    def response_unmatched(self, response: Response, flow: object) -> None:
        self.unmatched.append(response)

    def internal_error(self, error: BaseException, message: Message) -> None:
        self.errors.append(error)


class Callee(Caller):
    """The server's user: rings, answers, repeats a 2xx until its ACK or for 64·T1 (RFC 3261 §13.3.1.4)."""

    def __init__(self, layer: TransactionLayer, flow: Wire, plan: Plan) -> None:
        super().__init__(layer, flow)
        self.plan = plan
        self.requests = 0
        self.answered: list[tuple[int, str]] = []
        self.acknowledged: set[str] = set()
        """To tags of the 2xx whose ACK has come."""

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        self.requests += 1
        timers = self.layer.timers
        ringing, plan = request.copy(), self.plan
        if plan.ring_after is not None and plan.ring_after < plan.answer_after:
            for tag in (FIRST, SECOND)[: 1 + plan.forks]:
                timers.start(plan.ring_after, partial(self._respond, transaction, ringing, 180, tag))
        timers.start(plan.answer_after, lambda: self._respond(transaction, ringing, plan.status))

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        assert transaction.request is not None
        self._respond(transaction, transaction.request, 487)

    def ack_received(self, ack: Request, flow: object) -> None:
        self.acknowledged.add(ack.to.tag)

    def _respond(self, transaction: ServerTransaction, request: Request, status: int, tag: str = FIRST) -> None:
        if self.answered and (tag == FIRST or status < 200):
            return
        response = response_to(request, status, tag=tag)
        if status >= 200:
            self.answered.append((status, tag))
        self.layer.respond(transaction, response)
        if request.method == "INVITE" and 200 <= status < 300:
            self._repeat(transaction, response, T1, TIMEOUT)
            if tag == FIRST and self.plan.fork_after is not None:
                self.layer.timers.start(self.plan.fork_after, lambda: self._respond(transaction, request, status, SECOND))

    def _repeat(self, transaction: ServerTransaction, response: Response, wait: float, left: float) -> None:
        def again() -> None:
            if response.to.tag not in self.acknowledged and left > wait:
                self.layer.respond(transaction, response)
                self._repeat(transaction, response, min(2 * wait, T2), left - wait)

        self.layer.timers.start(wait, again)


class Encounter:
    """One request and all that comes of it."""

    def __init__(self, method: str, plan: Plan, fates: list[str], reliable: bool) -> None:
        self.clock = clock = Clock()
        self.channel = Channel(clock, fates)
        self.near = Wire(self.channel, reliable, SERVER, PHONE)
        self.far = Wire(self.channel, reliable, PHONE, SERVER)
        self.layers = [TransactionLayer(clock.timers, Identifiers(name), Observer()) for name in ("near", "far")]
        self.caller = Caller(self.layers[0], self.near)
        # Only an INVITE has more than one answer (RFC 3261 §16.7 step 5).
        self.callee = Callee(self.layers[1], self.far, plan if method == "INVITE" else plan._replace(fork_after=None))
        self.layers[0].user, self.layers[1].user = self.caller, self.callee
        client = self.layers[0].send_request(unsent(method), self.near, self.caller)
        if plan.cancel_after is not None and isinstance(client, InviteClient):
            clock.timers.start(plan.cancel_after, client.cancel)
        self._run(LONGEST)

    def _run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.clock.pass_time(TICK)
            for source, data in self.channel.due():
                layer, flow = (self.layers[1], self.far) if source is self.near else (self.layers[0], self.near)
                layer.datagram_received(data, flow)

    def what_is_wrong(self) -> list[str]:
        caller, callee, copies, arrived = self.caller, self.callee, self.channel.copies, self.channel.arrived
        found = [f"mistake: {error!r}" for error in (*caller.errors, *callee.errors, *self.clock.errors)]
        if len(caller.finals[:1]) + len(caller.failures) != 1:
            found.append(f"the caller heard {caller.finals} and failures {caller.failures}")
        if not self._heard_all():
            late = [response.to.tag for response in caller.unmatched]
            found.append(f"the callee said {callee.answered}, the caller heard {caller.finals}, too late {late}")
        wanted = 1 if arrived["INVITE"] or arrived["BYE"] else 0
        if callee.requests != wanted:
            found.append(f"the callee was asked {callee.requests} times")
        found += [f"left behind: {layer.transactions()}" for layer in self.layers if layer.transactions() != (0, 0)]
        if self.clock.timers.running():
            found.append(f"{self.clock.timers.running()} timers run")
        bounds = {"INVITE": INVITES, "BYE": REQUESTS, "CANCEL": REQUESTS}
        found += [f"{copies[name]} × {name}" for name, most in bounds.items() if copies[name] > most]
        return found + self._too_many_answers()

    def _heard_all(self) -> bool:
        """Whether the caller heard the only answer there is, or each 2xx of which a copy arrived: from its transaction within
        64·T1 of the first (Timer M), and of what came later too."""
        caller, accepted = self.caller, self.channel.accepted
        if not accepted:
            return not caller.finals or caller.finals == self.callee.answered
        after = {tag: at - min(accepted.values()) for tag, at in accepted.items()}
        heard = {tag for _, tag in caller.finals}
        must = {tag for tag, seconds in after.items() if seconds < TIMEOUT - 2 * TICK} if heard else set()
        may = {tag for tag, seconds in after.items() if seconds < TIMEOUT + 2 * TICK}
        known = heard | {response.to.tag for response in caller.unmatched}
        return must <= heard <= may and len(heard) == len(caller.finals) and known == set(accepted)

    def _too_many_answers(self) -> list[str]:
        """A failed INVITE's answer goes by Timer G, any answer once more for every copy of its request, an ACK per answer."""
        copies, arrived, found = self.channel.copies, self.channel.arrived, []
        phones = 1 + self.callee.plan.forks
        for name, number in copies.items():
            status, _, method = name.rpartition(" ")
            if status and number > phones * (arrived[method] + (REQUESTS if method == "INVITE" else 0)):
                found.append(f"{number} × {name} to {arrived[method]} × {method}")
        finals = sum(number for name, number in arrived.items() if name.endswith(" INVITE") and name[0] != "1")
        if copies["ACK"] > finals:
            found.append(f"{copies['ACK']} ACKs for {finals} answers")
        return found


plans = st.builds(
    Plan, st.sampled_from([200, 200, 302, 486, 503, 603]), st.sampled_from([0.0, 0.0, 0.3, 0.7, 3.0, 31.0, 40.0]),
    st.sampled_from([None, 0.0, 0.2, 2.0]), st.sampled_from([None, None, 0.0, 0.3, 1.0, 5.0]),
    st.sampled_from([None, None, 0.0, 0.3, 5.0, 31.0]),
)  # fmt: skip
lossy = st.lists(st.sampled_from([LOST, LOST, ONCE, TWICE, LATE, LATE_AGAIN]), max_size=60)


@examples(60)
@given(plans, lossy)
def test_invite(plan: Plan, fates: list[str]) -> None:
    assert Encounter("INVITE", plan, fates, reliable=False).what_is_wrong() == []


@examples(60)
@given(plans, lossy)
def test_any_other_request(plan: Plan, fates: list[str]) -> None:
    assert Encounter("BYE", plan, fates, reliable=False).what_is_wrong() == []


@examples(20)
@given(st.sampled_from(["INVITE", "BYE"]), plans)
def test_over_a_connection_nothing_is_repeated(method: str, plan: Plan) -> None:
    encounter = Encounter(method, plan, [], reliable=True)
    assert encounter.what_is_wrong() == []
    assert encounter.caller.failures or encounter.caller.finals == encounter.callee.answered
    copies = encounter.channel.copies
    once = {name: 2 if name == "180 INVITE" and plan.forks else 1 for name in copies if name not in ("200 INVITE", "ACK")}
    repeated = {name: copies[name] for name, most in once.items() if copies[name] > most}
    assert repeated == {}


@examples(10)
@given(st.sampled_from(["INVITE", "BYE"]), plans)
def test_a_dead_channel_is_one_time_out(method: str, plan: Plan) -> None:
    encounter = Encounter(method, plan, [LOST] * 100, reliable=False)
    assert encounter.what_is_wrong() == []
    assert (encounter.caller.finals, encounter.caller.failures, encounter.callee.requests) == ([], [408], 0)
    assert encounter.channel.copies[method] == (INVITES if method == "INVITE" else REQUESTS)
