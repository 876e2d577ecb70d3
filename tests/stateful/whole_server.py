"""The whole server, two phones and a watcher as a hypothesis state machine: anything at any time, then everything is looked at.

A rule is something that one user does, or time that passes. Where it makes no sense just then it does nothing, so that
every order of rules is a run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from b2bua.feature_server.contract import CallLimits
from b2bua.phone.call import CallState
from b2bua.trace.ladder import Ladder
from b2bua.trace.records import Reader
from tests.scenarios.options import DOMAIN, Options
from tests.scenarios.scene import LONGEST, USERS
from tests.scenarios.server_under_test import ServerUnderTest
from tests.scenarios.virtual_network import VirtualNetwork
from tests.scenarios.virtual_sockets import Segments
from tests.stateful.connections import ModelListener, PhoneLink
from tests.stateful.fair_loss import FairLoss
from tests.stateful.model_phone import LATE, SILENCE, ModelCall, ModelPhone, calls_of
from tests.stateful.rest_checks import lying_lamps, unequal_ends, wrong_gauges
from tests.stateful.wire_checks import wrong_answers, wrong_notifies

ADDRESSES: Final = {"6001": ("192.0.2.11", 5060), "6002": ("192.0.2.12", 5060), "6003": ("192.0.2.13", 5060)}
RECORDED: Final = 2_000
"""Messages in the recorder's ring: less than a long run has, so that its bound is seen."""
MOST_CALLS: Final = 2
MOST_LAMPS: Final = 3
SETTLED: Final = 80.0
"""Seconds after which all is at rest: silence (64·T1) where a re-INVITE went, the BYEs after it, and a lamp's second."""

talkers = st.sampled_from(("6001", "6002"))
users = st.sampled_from(tuple(ADDRESSES))
calls = st.integers(0, MOST_CALLS - 1)
answers = st.sampled_from((LATE, LATE, SILENCE, 486, 488, 491, 491, 500, 408, 481))
pauses = st.sampled_from((0.05, 0.05, 0.1, 0.3, 0.6, 1.0, 2.5, 5.0, 33.0))
shares = st.sampled_from((0.0, 0.0, 0.1, 0.3))
delays = st.sampled_from((0.0, 0.0, 0.1, 0.7))


class WrongRun(AssertionError):
    """Something was looked at and is not as it must be: the text has what, and the whole story."""


class WholeServer(RuleBasedStateMachine):
    """`link`: Communication Manager in this process, or on another host. `connected`: phones that speak over connections, and
    over which kind. `scheme`: `sips` where all of them are secure."""

    link: ClassVar[Literal["memory", "udp", "tcp"]] = "memory"
    connected: ClassVar[Mapping[str, str]] = MappingProxyType({})
    scheme: ClassVar[str] = "sip"

    @initialize(
        seed=st.integers(0, 2**32 - 1), share=shares, delay=delays, interval=st.sampled_from((1800, 90)),
        talking=st.sampled_from((True, True, True, False)), certified=st.booleans(),
    )  # fmt: skip
    def start(self, seed: int, share: float, delay: float, interval: int, talking: bool, certified: bool) -> None:
        self.begun = (
            f"seed {seed}, share {share}, delay {delay}, interval {interval}, talking {talking}, certified {certified}, "
            f"link {self.link}, connected {dict(self.connected)}"
        )
        random = Random(seed)
        self.loss, self.link_loss = (FairLoss(random.getrandbits(32)) for _ in range(2))
        self.network = VirtualNetwork(self.loss)
        self.network.link_rule = self.link_loss
        uniform = Random(random.getrandbits(32)).uniform
        limits = CallLimits(session_expires=interval)
        kinds = set(self.connected.values())
        options = Options(
            link=self.link, limits=limits, trace=RECORDED, uniform=uniform, tcp="tcp" in kinds, streams=sorted(kinds - {"tcp"})
        )  # fmt: skip
        self.breaks: list[float] = []
        """When connections of phones broke."""
        self.segments = Segments(random.getrandbits(32))
        names = {host: user for user, (host, _) in ADDRESSES.items()}
        listener = partial(ModelListener, segments=self.segments, names=names)
        self.server = ServerUnderTest(self.network, options, USERS, listener)
        self.phones = {user: self._phone(user, Random(random.getrandbits(32)), certified) for user in ADDRESSES}
        for phone in self.phones.values():
            phone.registration.register()
        for watcher, watched in (("6001", "6001"), ("6003", "6002")):
            self.phones[watcher].watch(watched)
        self.network.run()
        if talking:
            self.phones["6001"].dial(self._aor("6002"))
            self.network.run()
            calls_of(self.phones["6002"])[0].answer()
            self.network.advance(1.2)
        self._set_network(share, delay)

    def _phone(self, user: str, random: Random, certified: bool) -> ModelPhone:
        address = ADDRESSES[user]
        link = None
        if user in self.connected:
            link = PhoneLink(self.network, user, address[0], self.server.streams[self.connected[user]], certified, self.scheme)
        return ModelPhone(self.network, user, address, random, link)

    def _aor(self, user: str) -> str:
        return f"{self.scheme}:{user}@{DOMAIN}"

    # -- the network -------------------------------------------------------------------------------------------

    @rule(seconds=pauses)
    def time_passes(self, seconds: float) -> None:
        self.network.advance(seconds)

    @rule(share=shares, delay=delays)
    def network_changes(self, share: float, delay: float) -> None:
        self._set_network(share, delay)

    def _set_network(self, share: float, delay: float) -> None:
        self.quality = share, delay
        self.loss.set(share, delay)
        self.link_loss.set(share, delay)
        self.segments.delay, self.segments.jitter = delay, share / 10

    @precondition(lambda self: self.connected)
    @rule(user=users, told=st.booleans(), polite=st.booleans(), back=st.sampled_from((True, True, False)))
    def connection_breaks(self, user: str, told: bool, polite: bool, back: bool) -> None:
        """A phone's connections are gone with what was on them; it is back at once, or has no network until it returns."""
        phone = self.phones[user]
        if phone.link is None or phone.link.offline:
            return
        self.breaks.append(self.network.clock.now())
        phone.connection_breaks(told, polite)
        phone.link.goes()
        if back:
            phone.returns()

    @precondition(lambda self: self.connected)
    @rule(user=users)
    def phone_returns(self, user: str) -> None:
        phone = self.phones[user]
        if phone.link is not None and phone.link.offline:
            phone.returns()

    # -- calls -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._has(None, at_most=MOST_CALLS - 1))
    @rule(user=talkers, offerless=st.sampled_from((False, False, False, True)))
    def dial(self, user: str, offerless: bool) -> None:
        phone = self.phones[user]
        if len(phone.calls) < MOST_CALLS:
            phone.dial(self._aor("6002" if user == "6001" else "6001"), offerless)

    @precondition(lambda self: self._has(CallState.OFFERED))
    @rule(user=talkers, which=calls)
    def answer(self, user: str, which: int) -> None:
        self._do(user, which, CallState.OFFERED, ModelCall.answer)

    @precondition(lambda self: self._has(CallState.OFFERED))
    @rule(user=talkers, which=calls, status=st.sampled_from((486, 480, 404, 603)))
    def reject(self, user: str, which: int, status: int) -> None:
        self._do(user, which, CallState.OFFERED, lambda call: call.reject(status))

    @precondition(lambda self: self._has(None))
    @rule(user=talkers, which=calls)
    def hang_up(self, user: str, which: int) -> None:
        self._do(user, which, None, ModelCall.hang_up)

    @precondition(lambda self: self._has(CallState.ESTABLISHED))
    @rule(user=talkers, which=calls)
    def hold(self, user: str, which: int) -> None:
        self._do(user, which, CallState.ESTABLISHED, ModelCall.hold)

    @precondition(lambda self: self._has(CallState.ESTABLISHED))
    @rule(user=talkers, which=calls)
    def resume(self, user: str, which: int) -> None:
        self._do(user, which, CallState.ESTABLISHED, ModelCall.resume)

    @precondition(lambda self: self._has(CallState.ESTABLISHED))
    @rule(user=talkers, which=calls, offerless=st.booleans())
    def refresh(self, user: str, which: int, offerless: bool) -> None:
        self._do(user, which, CallState.ESTABLISHED, lambda call: call.refresh(offerless))

    @precondition(lambda self: self._has(CallState.ESTABLISHED))
    @rule(user=talkers, which=calls, holding=st.sampled_from((None, True, False)))
    def update(self, user: str, which: int, holding: bool | None) -> None:
        self._do(user, which, CallState.ESTABLISHED, lambda call: call.update(holding))

    @precondition(lambda self: self._has(CallState.ESTABLISHED))
    @rule(user=talkers, which=calls)
    def cancel_reinvite(self, user: str, which: int) -> None:
        self._do(user, which, CallState.ESTABLISHED, ModelCall.cancel_reinvite)

    @precondition(lambda self: self._has(CallState.ESTABLISHED))
    @rule(user=talkers, answer=answers)
    def next_reinvite_is_answered(self, user: str, answer: str | int) -> None:
        if len(self.phones[user].answers) < 2:
            self.phones[user].answers.append(answer)

    def _has(self, state: CallState | None, at_most: int = MOST_CALLS) -> bool:
        """Whether a talker has a call in this state (None: in any), or few enough of them."""
        if at_most < MOST_CALLS:
            return any(len(self.phones[user].calls) <= at_most for user in ("6001", "6002"))
        return any(state in (None, call.state) for user in ("6001", "6002") for call in self.phones[user].calls)

    def _do(self, user: str, which: int, state: CallState | None, act: Callable[[ModelCall], None]) -> None:
        """Nothing is carried before time passes: what two users do without a pause between meets on the way."""
        calls = [call for call in calls_of(self.phones[user]) if state in (None, call.state)]
        if calls:
            act(calls[which % len(calls)])

    # -- registrations and lamps -------------------------------------------------------------------------------

    @rule(user=users, expires=st.sampled_from((0, 60, 3600)))
    def register(self, user: str, expires: int) -> None:
        """Who takes no connections stays registered: nothing else says where it is once its connection has broken."""
        link = self.phones[user].link
        if expires or link is None or link.takes_connections:
            self.phones[user].registration.register(expires)

    @rule(user=users, watched=talkers, verb=st.sampled_from(("begin", "refresh", "end")), expires=st.sampled_from((60, 3600)))
    def subscribe(self, user: str, watched: str, verb: str, expires: int) -> None:
        phone = self.phones[user]
        phone.lamps = [lamp for lamp in phone.lamps if lamp.dialog is not None]
        lamps = [lamp for lamp in phone.lamps if lamp.active and lamp.watched == f"sip:{watched}@{DOMAIN}"]
        if verb == "begin" and len(phone.lamps) < MOST_LAMPS:
            phone.watch(watched, expires)
        elif verb == "refresh" and lamps:
            lamps[0]._refresh()
        elif verb == "end" and lamps:
            lamps[0].unsubscribe()

    # -- what must be true -------------------------------------------------------------------------------------

    @invariant()
    def no_gauge_is_negative(self) -> None:
        b2bua = self.server.b2bua
        gauges = {**b2bua.calls(), "longest hold": b2bua.longest_hold()}
        self._check([f"{what} is {number}" for what, number in gauges.items() if number < 0])

    @rule()
    def rest(self) -> None:
        """Nobody does anything for a while, and nothing is lost: the two ends agree, and the lamps with them."""
        before = self.quality
        self._set_network(0.0, 0.0)
        for user in self.connected:
            self.phone_returns(user)
        self.network.advance(SETTLED)
        self._check(self._ours())
        one, other = self.phones["6001"], self.phones["6002"]
        b2bua = self.server.b2bua
        gauges = wrong_gauges(b2bua.calls(), b2bua.longest_hold(), one, other)
        self._check([*unequal_ends(one, other), *lying_lamps(self.phones), *gauges])
        self._set_network(*before)

    def teardown(self) -> None:
        if not hasattr(self, "server"):
            return
        error = sys.exc_info()[1]
        if error is not None:
            if not isinstance(error, WrongRun):
                note(self.story())
            return
        for phone in self.phones.values():
            phone.answers.clear()
        self.rest()
        self._everybody_leaves()
        self._check(self._left_behind())
        unanswered = set().union(*(phone.unanswered for phone in self.phones.values()))
        for phone in self.phones.values():
            unanswered |= set() if phone.link is None else phone.link.repeated
        ladder = self.network.ladder
        self._check([*wrong_answers(ladder, unanswered, self.breaks), *wrong_notifies(ladder, bool(self.connected))])

    def _everybody_leaves(self) -> None:
        self._set_network(0.0, 0.0)
        for phone in self.phones.values():
            for call in list(phone.calls):
                call.hang_up()
            self.network.run()
        self.network.advance(1.0)
        for phone in self.phones.values():
            phone.registration.unregister()
            for lamp in phone.lamps:
                lamp.unsubscribe()
            self.network.run()
        self.network.advance(LONGEST)

    def _left_behind(self) -> list[str]:
        """Whatever still stands once everybody has left and every timer has run out."""
        server = self.server
        left = dict(server.leaks())
        left["bindings"] = sum(1 for _ in server.location.users())
        left["subscriptions"] = sum(server.notifier.count().values())
        left["timers of the server"] = server.timers.running()
        for name, phone in self.phones.items():
            left[f"transactions of {name}"] = sum(phone.layer.transactions()) - len(phone.unanswered & self._open(phone))
            left[f"calls of {name}"] = len(phone.calls)
        if len(server.recorder) > RECORDED:
            left["messages beyond the recorder's bound"] = len(server.recorder) - RECORDED
        return [f"left behind: {number} {what}" for what, number in left.items() if number] + self._ours()

    @staticmethod
    def _open(phone: ModelPhone) -> set[str]:
        return {str(key[0]) for key in phone.layer.servers}

    def _ours(self) -> list[str]:
        """Mistakes of our own that the server or a phone caught."""
        mistakes = [*self.server.errors, *(error for phone in self.phones.values() for error in phone.failures)]
        closed = [failure for phone in self.phones.values() if phone.link is not None for failure in phone.link.failures]
        return [f"caught: {mistake!r}" for mistake in mistakes] + closed

    def _check(self, wrong: list[str]) -> None:
        if wrong:
            raise WrongRun("\n".join([*wrong, "", self.story()]))

    def story(self) -> str:
        """How the run began, and its ladder: what whoever reads of a failure has in hand."""
        return f"{self.begun}\n\n{self.ladder()}"

    def ladder(self) -> str:
        """The trace's own ladder of the whole run, as far as the ring reaches."""
        drawn = Ladder()
        records = Reader(self.server.recorder).read(self.server.recorder.entries())
        lines = [line for record in records if record is not None for line in drawn.feed(record)]
        return "\n".join(lines)
