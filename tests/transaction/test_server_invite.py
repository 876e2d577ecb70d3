"""RFC 3261 §17.2.1 figure 7 with RFC 6026 §7.1, row by row."""

from __future__ import annotations

from b2bua.transaction.machine import Event
from b2bua.transaction.server_invite import EVENTS, IGNORED, STATES, TABLE, InviteServer
from tests.transaction.figure import BY_ANOTHER_ROAD, TCP, UDP, Figure, Row
from tests.transaction.neighbours import Element, reply, request

PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED = STATES

COMMON = {
    (PROCEEDING, Event.PROVISIONAL): Row(PROCEEDING, "send 180"),
    (PROCEEDING, Event.SUCCESS): Row(ACCEPTED, "send 200 | start L 32 | forgot | keeps nothing"),
    (ACCEPTED, Event.SUCCESS): Row(ACCEPTED, "send 200 | keeps 200"),
    (ACCEPTED, Event.TIMER_L): Row(TERMINATED, "ended"),
}

DATAGRAMS = COMMON | {
    (PROCEEDING, Event.REQUEST): Row(PROCEEDING, "count INVITE | resend 180"),
    (PROCEEDING, Event.FAILURE): Row(COMPLETED, "send 486 | start G 0.5 | start H 32 | forgot | keeps 486"),
    (COMPLETED, Event.REQUEST): Row(COMPLETED, "count INVITE | resend 486"),
    (COMPLETED, Event.ACK): Row(CONFIRMED, "stop G | stop H | start I 5 | told | keeps nothing"),
    (COMPLETED, Event.TIMER_G): Row(COMPLETED, "count INVITE | resend 486 | start G 1"),
    (COMPLETED, Event.TIMER_H): Row(TERMINATED, "gave up | told | stop G | ended | keeps nothing"),
    (COMPLETED, Event.TRANSPORT_ERROR): Row(COMPLETED, "told"),
    (CONFIRMED, Event.TIMER_I): Row(TERMINATED, "ended"),
}

FIGURE = Figure(
    InviteServer,
    "INVITE",
    TABLE,
    STATES,
    EVENTS,
    IGNORED,
    {
        PROCEEDING: (Event.PROVISIONAL,),
        COMPLETED: (Event.FAILURE,),
        CONFIRMED: (Event.FAILURE, Event.ACK),
        ACCEPTED: (Event.SUCCESS,),
        TERMINATED: (Event.SUCCESS, Event.TIMER_L),
    },
    {
        UDP: DATAGRAMS,
        TCP: COMMON | {
            (PROCEEDING, Event.REQUEST): Row(PROCEEDING, "count INVITE | resend 180"),
            (PROCEEDING, Event.FAILURE): Row(COMPLETED, "send 486 | start H 32 | forgot | keeps 486"),
            (COMPLETED, Event.REQUEST): Row(COMPLETED, "count INVITE | resend 486"),
            # I is 0 s: over with the ACK.
            (COMPLETED, Event.ACK): Row(TERMINATED, "stop H | ended | told | keeps nothing"),
            # No timer G runs on a connection; one that came all the same would be the row's.
            (COMPLETED, Event.TIMER_G): Row(COMPLETED, "count INVITE | resend 486 | start G 0"),
            (COMPLETED, Event.TIMER_H): Row(TERMINATED, "gave up | told | ended | keeps nothing"),
            (COMPLETED, Event.TRANSPORT_ERROR): Row(COMPLETED, "told"),
        },
        BY_ANOTHER_ROAD: DATAGRAMS | {
            # Nothing was said yet, so nothing is said again.
            (PROCEEDING, Event.REQUEST): Row(PROCEEDING, ""),
            (PROCEEDING, Event.PROVISIONAL): Row(PROCEEDING, "send 180 | keeps 180"),
            (PROCEEDING, Event.SUCCESS): Row(ACCEPTED, "send 200 | start L 32 | forgot"),
            # The 2xx was repeated, which is not what a repeated INVITE is answered with.
            (ACCEPTED, Event.SUCCESS): Row(ACCEPTED, "send 200"),
            (ACCEPTED, Event.TIMER_L): Row(TERMINATED, "ended | keeps nothing"),
        },
    },
    {PROCEEDING: (), ACCEPTED: (Event.SUCCESS, Event.SUCCESS)},
)  # fmt: skip


EQUIVALENT = {
    "the request is let go: there is none to forget": (
        r"(Completed|Confirmed|Accepted|Terminated), .*: with forget_request .*",
        r"Proceeding, (2xx|3xx-6xx): with forget_request at the end",
        r"Proceeding, 3xx-6xx: with forget_request before start_timers_g_and_h",
    ),
    "it is let go next, and nobody looks in between": (
        r"Proceeding, 3xx-6xx: with forget_request before forget_request",
        r"Proceeding, 3xx-6xx: with forget_request and start_timers_g_and_h swapped",
    ),
    "no bytes are kept: there is nothing to send again": (
        r"(Confirmed|Terminated), .*: with resend .*",
        r"Proceeding, 2xx: with resend at the end",
        r"Completed, ACK: with resend (before tell_acknowledged|at the end)",
        r"Completed, timer H: with resend at the end",
        r"Accepted, timer L: with resend at the end",
    ),
    "its user is told once": (
        r"Confirmed, .*: with tell_acknowledged (?!before).*",
        r"Completed, (ACK|timer H|transport error): with tell_acknowledged (before (tell_acknowledged|end)|at the end)",
    ),
    "its end stops the timers that were begun": (
        r"(?!Completed).*: with (start_timers_g_and_h|double_timer_g) before end",
        r".*: with start_timer_i before end",
    ),
    "I is begun twice at the same time, or the transaction is over": (
        r"Completed, ACK: with start_timer_i (before .*|at the end)",
    ),
}


def test_every_pair_stands_once() -> None:
    assert FIGURE.unlisted() == []


def test_every_transition() -> None:
    assert FIGURE.wrong(TABLE) == []
    assert FIGURE.reached(UDP) == set(STATES)
    assert FIGURE.reached(TCP) == set(STATES) - {CONFIRMED}


def test_no_mutant_survives() -> None:
    """But for those that change nothing."""
    assert FIGURE.misjudged(EQUIVALENT) == []


# -- the clock ----------------------------------------------------------------------------------------------------


class Called(Element):
    """An INVITE came in."""

    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable)
        self.invite = request("INVITE")
        self.receive(self.invite)

    def answer(self, status: int) -> None:
        self.layer.respond(self.transaction(), reply(self.invite, status))

    def ack(self, branch: str = "z9hG4bK1") -> None:
        self.receive(request("ACK", branch=branch, to_tag="t"))

    def watch(self, seconds: float) -> list[float]:
        """When something is sent again, in seconds from now."""
        found, seen, start = [], len(self.flow.resent), self.clock.now()
        for _ in range(round(seconds / 0.05)):
            self.clock.pass_time(0.05)
            found += [round(self.clock.now() - start, 2)] * (len(self.flow.resent) - seen)
            seen = len(self.flow.resent)
        return found


def test_timer_g_doubles_up_to_t2_until_timer_h() -> None:
    called = Called()
    called.answer(486)
    sent = called.flow.last.encode()
    given_up: list[int] = []
    called.transaction().acknowledged = lambda: given_up.append(1)
    assert called.watch(40) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert set(called.flow.resent) == {sent}
    assert given_up == [1]
    assert called.layer.transactions() == (0, 0) and not called.clock.timers.running()


def test_timer_h_is_32_seconds_on_a_connection_too() -> None:
    called = Called(reliable=True)
    called.answer(486)
    assert called.watch(31.9) == []
    assert called.layer.transactions() == (1, 0)
    called.clock.pass_time(0.2)
    assert called.layer.transactions() == (0, 0)


def test_the_ack_ends_the_repetitions_and_timer_i_absorbs_it_for_t4() -> None:
    called = Called()
    called.answer(486)
    called.ack()
    called.ack()
    assert called.watch(4.9) == []
    called.ack()
    assert called.layer.transactions() == (1, 0)
    assert called.core.acks == []  # the ACK of a failure is no business of the user's
    called.clock.pass_time(0.15)
    assert called.layer.transactions() == (0, 0)


def test_timer_i_is_0_on_a_connection() -> None:
    called = Called(reliable=True)
    called.answer(486)
    called.ack()
    assert called.layer.transactions() == (0, 0) and not called.clock.timers.running()


def test_timer_l_absorbs_the_invite_for_32_seconds_and_lets_each_2xx_out() -> None:
    called = Called()
    called.answer(200)
    called.answer(200)
    called.receive(called.invite)
    assert called.flow.statuses() == [200, 200] and called.flow.resent == []
    called.clock.pass_time(31.9)
    called.receive(called.invite)
    assert len(called.core.requests) == 1
    called.clock.pass_time(0.15)
    assert called.layer.transactions() == (0, 0)


def test_the_ack_of_a_2xx_goes_to_the_user() -> None:
    called = Called()
    called.answer(200)
    called.ack(branch="z9hG4bKother")
    called.ack()  # RFC 6026 §7.1: even with the INVITE's own branch
    assert len(called.core.acks) == 2


def test_an_old_peers_ack_of_a_2xx_goes_to_the_user_and_ends_nothing() -> None:
    """RFC 6026 §6: an ACK without the magic cookie matches its INVITE; in Accepted it is passed up, and L runs on."""
    element, invite = Element(), request("INVITE", branch="1")
    element.receive(invite)
    element.layer.respond(element.transaction(), reply(invite, 200))
    element.receive(request("ACK", branch="1", to_tag="t"))
    assert len(element.core.acks) == 1 and element.layer.transactions() == (1, 0)
    element.clock.pass_time(32.05)
    assert element.layer.transactions() == (0, 0)


def test_what_comes_too_late_is_dropped() -> None:
    called = Called()
    called.answer(486)
    called.answer(200)
    called.answer(180)
    called.answer(603)
    assert called.flow.statuses() == [486]
    assert called.transaction().answered
