"""RFC 3261 §17.1.1 figure 5 with RFC 6026 §7.2, row by row."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from b2bua.transaction.client_invite import EVENTS, IGNORED, STATES, TABLE, InviteClient
from b2bua.transaction.machine import Event, State
from tests.transaction.figure import CANCELLED, TCP, UDP, Figure, Row
from tests.transaction.neighbours import ClientRecorder, Element, reply, unsent

CALLING, PROCEEDING, COMPLETED, ACCEPTED, TERMINATED = STATES

COMMON = {
    (CALLING, Event.TRANSPORT_ERROR): Row(TERMINATED, "no 2xx | user failed 503 | stop A | stop B | ended | forgot"),
    (CALLING, Event.PROVISIONAL): Row(PROCEEDING, "stop A | stop B | user 180"),
    (CALLING, Event.SUCCESS): Row(ACCEPTED, "stop A | stop B | start M 32 | forgot | user 200 | keeps nothing"),
    (CALLING, Event.FAILURE): Row(COMPLETED, "stop A | stop B | send ACK | no 2xx | forgot | user 486 | start D 32 | keeps ACK"),
    (PROCEEDING, Event.PROVISIONAL): Row(PROCEEDING, "user 180"),
    (PROCEEDING, Event.SUCCESS): Row(ACCEPTED, "start M 32 | forgot | user 200 | keeps nothing"),
    (PROCEEDING, Event.FAILURE): Row(COMPLETED, "send ACK | no 2xx | forgot | user 486 | start D 32 | keeps ACK"),
    (PROCEEDING, Event.TIMER_B): Row(TERMINATED, "no 2xx | user failed 408 | ended | forgot"),
    (PROCEEDING, Event.TRANSPORT_ERROR): Row(TERMINATED, "no 2xx | user failed 503 | ended | forgot"),
    (ACCEPTED, Event.SUCCESS): Row(ACCEPTED, "user 200"),
    (ACCEPTED, Event.TIMER_M): Row(TERMINATED, "ended"),
}

DATAGRAMS = {
    (CALLING, Event.TIMER_A): Row(CALLING, "count INVITE | resend INVITE | start A 1"),
    (CALLING, Event.TIMER_B): Row(TERMINATED, "no 2xx | user failed 408 | stop A | ended | forgot"),
    (COMPLETED, Event.FAILURE): Row(COMPLETED, "count ACK | resend ACK"),
    (COMPLETED, Event.TIMER_D): Row(TERMINATED, "ended"),
    (COMPLETED, Event.TRANSPORT_ERROR): Row(TERMINATED, "stop D | ended"),
}

FIGURE = Figure(
    InviteClient,
    "INVITE",
    TABLE,
    STATES,
    EVENTS,
    IGNORED,
    {
        CALLING: (),
        PROCEEDING: (Event.PROVISIONAL,),
        COMPLETED: (Event.FAILURE,),
        ACCEPTED: (Event.SUCCESS,),
        TERMINATED: (Event.TRANSPORT_ERROR,),
    },
    {
        UDP: COMMON | DATAGRAMS,
        TCP: COMMON | {
            # No timer A runs on a connection; one that came all the same would be the row's.
            (CALLING, Event.TIMER_A): Row(CALLING, "count INVITE | resend INVITE | start A 0"),
            (CALLING, Event.TIMER_B): Row(TERMINATED, "no 2xx | user failed 408 | ended | forgot"),
            (CALLING, Event.TRANSPORT_ERROR): Row(TERMINATED, "no 2xx | user failed 503 | stop B | ended | forgot"),
            (CALLING, Event.PROVISIONAL): Row(PROCEEDING, "stop B | user 180"),
            (CALLING, Event.SUCCESS): Row(ACCEPTED, "stop B | start M 32 | forgot | user 200 | keeps nothing"),
            # D is 0 s: the transaction is over with its ACK.
            (CALLING, Event.FAILURE): Row(TERMINATED, "stop B | send ACK | no 2xx | forgot | user 486 | ended | keeps ACK"),
            (PROCEEDING, Event.FAILURE): Row(TERMINATED, "send ACK | no 2xx | forgot | user 486 | ended | keeps ACK"),
        },
        CANCELLED: COMMON | DATAGRAMS | {
            (CALLING, Event.PROVISIONAL): Row(PROCEEDING, "stop A | stop B | send CANCEL | start B 32 | user 180"),
            (PROCEEDING, Event.SUCCESS): Row(ACCEPTED, "stop B | start M 32 | forgot | user 200 | keeps nothing"),
            (PROCEEDING, Event.FAILURE): Row(
                COMPLETED, "stop B | send ACK | no 2xx | forgot | user 486 | start D 32 | keeps ACK",
            ),
            (PROCEEDING, Event.TRANSPORT_ERROR): Row(TERMINATED, "no 2xx | user failed 503 | stop B | ended | forgot"),
        },
    },
)  # fmt: skip


EQUIVALENT = {
    "the request is let go: there is none to forget, and none to cancel": (
        r"(Completed|Accepted|Terminated), .*: with (forget_request|cancel_if_wanted) .*",
        r"(Calling|Proceeding), (2xx|timer B|transport error): with (forget_request|cancel_if_wanted) at the end",
        r"(Calling|Proceeding), 3xx-6xx: with (forget_request|cancel_if_wanted) (before (pass_up|start_timer_d)|at the end)",
    ),
    "it is let go next, and nobody looks in between": (
        r"(Calling|Proceeding), 2xx: with forget_request before accept",
        r"(Calling|Proceeding), 3xx-6xx: with forget_request before forget_request",
    ),
    "after its end a transaction has no user, and nobody is told anything": (
        r"(Calling|Proceeding), (timer B|transport error): with (pass_up|timed_out|transport_failed) at the end",
        r"Completed, (timer D|transport error): with (pass_up|timed_out|transport_failed) at the end",
        r"Accepted, timer M: with pass_up at the end",
        r"Terminated, .*: with (pass_up|timed_out|transport_failed) at the end",
    ),
    "no bytes are kept: there is no ACK to repeat": (
        r"Accepted, .*: with acknowledge_again .*",
        r"(Calling|Proceeding), 2xx: with acknowledge_again at the end",
    ),
    "no timer runs that could be stopped": (
        r"Terminated, .*: with stop_timers .*",
        r"(Calling|Proceeding), (timer B|transport error): with stop_timers at the end",
        r"Completed, (timer D|transport error): with stop_timers at the end",
        r"Accepted, timer M: with stop_timers at the end",
        r"Proceeding, timer B: with stop_timers before timed_out",
        r"Calling, 1xx: with stop_timers before cancel_if_wanted",
        r"(Calling|Proceeding), 3xx-6xx: with stop_timers before (acknowledge|forget_request|pass_up|start_timer_d)",
    ),
    "the next action stops the same timers, and one that it finds begun besides (D of 0 s is ignored there)": (
        r"Calling, 1xx: with (stop_timers|start_timer_d) before stop_timers",
        r"(Calling|Proceeding), 3xx-6xx: with stop_timers before stop_timers",
        r"Proceeding, 3xx-6xx: with double_timer_a before stop_timers",
        r"(Calling|Proceeding), 2xx: with (stop_timers|start_timer_d) before accept",
        r"Proceeding, 2xx: with double_timer_a before accept",
        r".*: with (stop_timers|start_timer_d) before end",
        r"(?!Calling).*: with double_timer_a before end",
    ),
    "D is begun twice at the same time, or the transaction is over": (
        r"(Calling|Proceeding), 3xx-6xx: with start_timer_d (before start_timer_d|at the end)",
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


class Call(Element):
    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable)
        self.user = ClientRecorder()
        self.times: list[float] = []
        invite = unsent("INVITE", more=(("Route", "<sip:192.0.2.1;lr>"), ("Subject", "x")))  # type: ignore[arg-type]  # typed there
        transaction = self.layer.send_request(invite, self.flow, self.user)
        assert isinstance(transaction, InviteClient)
        self.client = transaction
        self.invite = self.flow.last_request()

    def watch(self, seconds: float) -> list[float]:
        """When something is sent again, in seconds from now."""
        found, seen, start = [], len(self.flow.resent), self.clock.now()
        for _ in range(round(seconds / 0.05)):
            self.clock.pass_time(0.05)
            found += [round(self.clock.now() - start, 2)] * (len(self.flow.resent) - seen)
            seen = len(self.flow.resent)
        return found


def test_timer_a_doubles_until_timer_b() -> None:
    call = Call()
    assert call.watch(40) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert set(call.flow.resent) == {call.invite.encode()}
    assert call.user.failures == [408]
    assert call.count("retransmissions", "out", "INVITE") == 6
    assert call.layer.transactions() == (0, 0) and not call.clock.timers.running()


def test_timer_b_is_32_seconds() -> None:
    call = Call()
    call.clock.pass_time(31.95)
    assert call.user.failures == []
    call.clock.pass_time(0.1)
    assert call.user.failures == [408]


def test_a_connection_repeats_nothing() -> None:
    call = Call(reliable=True)
    assert call.watch(31.9) == []
    call.clock.pass_time(0.2)
    assert call.user.failures == [408]


def test_a_provisional_response_ends_timers_a_and_b() -> None:
    call = Call()
    call.receive(reply(call.invite, 100))
    assert call.watch(300) == []
    assert call.user.failures == []


@pytest.mark.parametrize("status", [300, 404, 486, 503, 603])
def test_timer_d_absorbs_failures_for_32_seconds(status: int) -> None:
    call = Call()
    call.receive(reply(call.invite, status))
    ack = call.flow.last_request()
    call.clock.pass_time(31.9)
    call.receive(reply(call.invite, status))
    assert call.flow.resent == [ack.encode()]
    assert call.user.statuses == [status] and call.core.stray == []
    call.clock.pass_time(0.15)
    assert call.layer.transactions() == (0, 0)
    call.receive(reply(call.invite, status))
    assert len(call.core.stray) == 1 and len(call.flow.resent) == 1


def test_timer_m_passes_every_2xx_for_32_seconds() -> None:
    call = Call()
    call.receive(reply(call.invite, 200))
    call.receive(reply(call.invite, 200))
    call.receive(reply(call.invite, 200, tag="fork"))
    call.clock.pass_time(31.9)
    call.receive(reply(call.invite, 200))
    assert call.user.statuses == [200] * 4
    assert call.flow.requests("ACK") == []  # it is the user's
    call.clock.pass_time(0.15)
    call.receive(reply(call.invite, 200))
    assert call.user.statuses == [200] * 4 and len(call.core.stray) == 1


def test_the_ack_of_a_failure() -> None:
    call = Call()
    call.receive(reply(call.invite, 486, tag="busy"))
    ack = call.flow.last_request()
    assert (ack.method, ack.uri, ack.cseq, ack.cseq_method) == ("ACK", call.invite.uri, 1, "ACK")
    assert ack.get_all("Via") == [call.invite.get("Via")]
    assert ack.get("From") == call.invite.get("From") and ack.call_id == "c1"
    assert ack.to.tag == "busy"
    assert ack.elements("Route") == ["<sip:192.0.2.1;lr>"]
    assert not ack.has("Subject")


# -- CANCEL (§9.1) ------------------------------------------------------------------------------------------------


def test_cancel_waits_for_a_provisional_response() -> None:
    call = Call()
    call.client.cancel(("Reason", "SIP;cause=200"))
    assert call.flow.requests("CANCEL") == []
    call.receive(reply(call.invite, 100))
    [cancel] = call.flow.requests("CANCEL")
    assert (cancel.uri, cancel.cseq, cancel.cseq_method) == (call.invite.uri, 1, "CANCEL")
    assert cancel.get_all("Via") == [call.invite.get("Via")]
    assert cancel.get("To") == call.invite.get("To")
    assert cancel.get("Reason") == "SIP;cause=200"
    assert cancel.elements("Route") == ["<sip:192.0.2.1;lr>"]


def test_cancel_leaves_once() -> None:
    call = Call()
    call.receive(reply(call.invite, 180))
    call.client.cancel()
    call.client.cancel()
    assert len(call.flow.requests("CANCEL")) == 1
    call.receive(reply(call.flow.requests("CANCEL")[0], 200))
    call.receive(reply(call.invite, 487))
    assert call.user.statuses == [180, 487]


def test_cancel_after_the_final_response_does_nothing() -> None:
    call = Call()
    call.receive(reply(call.invite, 200))
    call.client.cancel()
    assert call.flow.requests("CANCEL") == []


def test_without_an_answer_to_the_cancel_408_after_32_seconds() -> None:
    call = Call()
    call.receive(reply(call.invite, 180))
    call.clock.pass_time(100)
    call.client.cancel()
    call.clock.pass_time(31.9)
    assert call.user.failures == []
    call.clock.pass_time(0.2)
    assert call.user.failures == [408]


def test_a_user_that_raises_leaves_no_transaction_behind() -> None:
    class Clumsy(ClientRecorder):
        def response_received(self, transaction: object, response: object) -> None:
            raise RuntimeError("clumsy")

        def transaction_failed(self, transaction: object, status: int) -> None:
            raise RuntimeError("clumsy")

    for answer in (reply, None):
        element = Element()
        element.layer.send_request(unsent("INVITE"), element.flow, Clumsy())
        sent = element.flow.last_request()
        assert isinstance(sent, Request)
        if answer is not None:
            element.receive(answer(sent, 486))
            assert element.count("internal_errors", "transaction user") == 1
        element.clock.pass_time(33)
        assert element.layer.transactions() == (0, 0)
        assert element.core.errors or element.clock.errors


def test_states_are_those_of_the_figure() -> None:
    assert {state.value for state in STATES} == {"Calling", "Proceeding", "Completed", "Accepted", "Terminated"}
    assert State.TRYING not in STATES
