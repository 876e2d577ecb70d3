"""RFC 3261 §17.2.2 figure 8, row by row, and the late 100 of RFC 4320 §4.1."""

from __future__ import annotations

import pytest

from b2bua.transaction.machine import Event
from b2bua.transaction.server_non_invite import EVENTS, IGNORED, STATES, TABLE, NonInviteServer
from tests.transaction.figure import TCP, UDP, Figure, Row
from tests.transaction.neighbours import Element, reply, request

TRYING, PROCEEDING, COMPLETED, TERMINATED = STATES

COMMON = {
    (TRYING, Event.PROVISIONAL): Row(PROCEEDING, "send 180 | keeps 180"),
    (TRYING, Event.TIMER_100): Row(PROCEEDING, "unanswered"),
    (PROCEEDING, Event.REQUEST): Row(PROCEEDING, "count OPTIONS | resend 180"),
    (PROCEEDING, Event.PROVISIONAL): Row(PROCEEDING, "send 180"),
}

FIGURE = Figure(
    NonInviteServer,
    "OPTIONS",
    TABLE,
    STATES,
    EVENTS,
    IGNORED,
    {TRYING: (), PROCEEDING: (Event.PROVISIONAL,), COMPLETED: (Event.SUCCESS,), TERMINATED: (Event.SUCCESS, Event.TIMER_J)},
    {
        UDP: COMMON | {
            (TRYING, Event.SUCCESS): Row(COMPLETED, "send 200 | start J 32 | forgot | keeps 200"),
            (TRYING, Event.FAILURE): Row(COMPLETED, "send 486 | start J 32 | forgot | keeps 486"),
            (PROCEEDING, Event.SUCCESS): Row(COMPLETED, "send 200 | start J 32 | forgot | keeps 200"),
            (PROCEEDING, Event.FAILURE): Row(COMPLETED, "send 486 | start J 32 | forgot | keeps 486"),
            (COMPLETED, Event.REQUEST): Row(COMPLETED, "count OPTIONS | resend 200"),
            (COMPLETED, Event.TIMER_J): Row(TERMINATED, "ended | keeps nothing"),
        },
        TCP: COMMON | {
            # J is 0 s: over with the final response.
            (TRYING, Event.SUCCESS): Row(TERMINATED, "send 200 | forgot | ended"),
            (TRYING, Event.FAILURE): Row(TERMINATED, "send 486 | forgot | ended"),
            (PROCEEDING, Event.SUCCESS): Row(TERMINATED, "send 200 | forgot | ended | keeps nothing"),
            (PROCEEDING, Event.FAILURE): Row(TERMINATED, "send 486 | forgot | ended | keeps nothing"),
        },
    },
)  # fmt: skip


EQUIVALENT = {
    "no bytes are kept: there is nothing to send again": (
        r"Terminated, .*: with resend .*",
        r"Trying, .*: with resend (?!at the end).*",
        r"Trying, (request again|timer J|timer 100|transport error): with resend at the end",
        r"Completed, timer J: with resend at the end",
    ),
}


def test_every_pair_stands_once() -> None:
    assert FIGURE.unlisted() == []


def test_every_transition() -> None:
    assert FIGURE.wrong(TABLE) == []
    assert FIGURE.reached(UDP) == set(STATES)
    assert FIGURE.reached(TCP) == set(STATES) - {COMPLETED}


def test_no_mutant_survives() -> None:
    """But for those that change nothing."""
    assert FIGURE.misjudged(EQUIVALENT) == []


# -- the clock ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reliable", [False, True])
def test_100_when_timer_e_of_the_sender_is_t2_and_not_before(reliable: bool) -> None:
    """RFC 4320 §4.1: Timer E runs 0.5, 1 and 2 s; then it is T2."""
    element, options = Element(reliable), request("OPTIONS")
    element.receive(options)
    element.clock.pass_time(3.45)
    assert element.flow.sent == []
    element.clock.pass_time(0.1)
    assert element.flow.statuses() == [100]
    assert element.count("responses", "out", "OPTIONS", "100") == 1
    element.clock.pass_time(20)
    element.layer.respond(element.transaction(), reply(options, 200))
    assert element.flow.statuses() == [100, 200]


def test_no_100_once_it_is_answered() -> None:
    element, options = Element(), request("OPTIONS")
    element.receive(options)
    element.clock.pass_time(3)
    element.layer.respond(element.transaction(), reply(options, 486))
    element.clock.pass_time(40)
    assert element.flow.statuses() == [486]
    assert element.layer.transactions() == (0, 0) and not element.clock.timers.running()


def test_timer_j_repeats_the_answer_for_32_seconds() -> None:
    element, options = Element(), request("OPTIONS")
    element.receive(options)
    element.receive(options)  # no answer yet: nothing to repeat
    assert element.flow.sent == [] and element.flow.resent == []
    element.layer.respond(element.transaction(), reply(options, 200))
    sent = element.flow.last.encode()
    element.receive(options)
    element.clock.pass_time(31.9)
    element.receive(options)
    assert element.flow.resent == [sent, sent]
    assert len(element.core.requests) == 1
    element.clock.pass_time(0.15)
    assert element.layer.transactions() == (0, 0)
    element.receive(options)
    assert len(element.core.requests) == 2  # a new one, as far as anybody can tell


def test_timer_j_is_0_on_a_connection() -> None:
    element, options = Element(reliable=True), request("OPTIONS")
    element.receive(options)
    element.layer.respond(element.transaction(), reply(options, 200))
    assert element.layer.transactions() == (0, 0) and not element.clock.timers.running()


def test_only_the_first_final_response_leaves() -> None:
    element, options = Element(), request("OPTIONS")
    element.receive(options)
    for status in (200, 486, 180):
        element.layer.respond(element.transaction(), reply(options, status))
    assert element.flow.statuses() == [200]


def test_the_request_is_dropped_with_the_final_response() -> None:
    element, options = Element(), request("OPTIONS")
    element.receive(options)
    transaction = element.transaction()
    transaction.attached = object()
    element.layer.respond(transaction, reply(options, 200))
    assert transaction.request is None
    element.clock.pass_time(33)
    assert transaction.attached is None
