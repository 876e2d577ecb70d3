"""RFC 3261 §17.1.2 figure 6, row by row."""

from __future__ import annotations

from b2bua.transaction.client_non_invite import EVENTS, IGNORED, STATES, TABLE, NonInviteClient
from b2bua.transaction.machine import Event
from tests.transaction.figure import TCP, UDP, Figure, Row
from tests.transaction.neighbours import ClientRecorder, Element, reply, unsent

TRYING, PROCEEDING, COMPLETED, TERMINATED = STATES

COMMON = {
    (TRYING, Event.PROVISIONAL): Row(PROCEEDING, "user 180"),
    (PROCEEDING, Event.PROVISIONAL): Row(PROCEEDING, "user 180"),
}

FIGURE = Figure(
    NonInviteClient,
    "OPTIONS",
    TABLE,
    STATES,
    EVENTS,
    IGNORED,
    {TRYING: (), PROCEEDING: (Event.PROVISIONAL,), COMPLETED: (Event.SUCCESS,), TERMINATED: (Event.TRANSPORT_ERROR,)},
    {
        UDP: COMMON | {
            (TRYING, Event.TIMER_E): Row(TRYING, "count OPTIONS | resend OPTIONS | start E 1"),
            (TRYING, Event.TIMER_F): Row(TERMINATED, "user failed 408 | stop E | ended | forgot"),
            (TRYING, Event.TRANSPORT_ERROR): Row(TERMINATED, "user failed 503 | stop E | stop F | ended | forgot"),
            (TRYING, Event.SUCCESS): Row(COMPLETED, "stop E | stop F | forgot | user 200 | start K 5 | keeps nothing"),
            (TRYING, Event.FAILURE): Row(COMPLETED, "stop E | stop F | forgot | user 486 | start K 5 | keeps nothing"),
            (PROCEEDING, Event.TIMER_E): Row(PROCEEDING, "count OPTIONS | resend OPTIONS | start E 4"),
            (PROCEEDING, Event.TIMER_F): Row(TERMINATED, "user failed 408 | stop E | ended | forgot"),
            (PROCEEDING, Event.TRANSPORT_ERROR): Row(TERMINATED, "user failed 503 | stop E | stop F | ended | forgot"),
            (PROCEEDING, Event.SUCCESS): Row(COMPLETED, "stop E | stop F | forgot | user 200 | start K 5 | keeps nothing"),
            (PROCEEDING, Event.FAILURE): Row(COMPLETED, "stop E | stop F | forgot | user 486 | start K 5 | keeps nothing"),
            (COMPLETED, Event.TIMER_K): Row(TERMINATED, "ended"),
        },
        TCP: COMMON | {
            # No timer E runs on a connection; one that came all the same would be the row's.
            (TRYING, Event.TIMER_E): Row(TRYING, "count OPTIONS | resend OPTIONS | start E 0"),
            (TRYING, Event.TIMER_F): Row(TERMINATED, "user failed 408 | ended | forgot"),
            (TRYING, Event.TRANSPORT_ERROR): Row(TERMINATED, "user failed 503 | stop F | ended | forgot"),
            # K is 0 s: over with the final response.
            (TRYING, Event.SUCCESS): Row(TERMINATED, "stop F | forgot | ended | user 200"),
            (TRYING, Event.FAILURE): Row(TERMINATED, "stop F | forgot | ended | user 486"),
            (PROCEEDING, Event.TIMER_E): Row(PROCEEDING, "count OPTIONS | resend OPTIONS | start E 4"),
            (PROCEEDING, Event.TIMER_F): Row(TERMINATED, "user failed 408 | ended | forgot"),
            (PROCEEDING, Event.TRANSPORT_ERROR): Row(TERMINATED, "user failed 503 | stop F | ended | forgot"),
            (PROCEEDING, Event.SUCCESS): Row(TERMINATED, "stop F | forgot | ended | user 200"),
            (PROCEEDING, Event.FAILURE): Row(TERMINATED, "stop F | forgot | ended | user 486"),
        },
    },
)  # fmt: skip


EQUIVALENT = {
    "after its end a transaction has no user, and nobody is told anything": (
        r"(Trying|Proceeding), (timer F|transport error): with (pass_up|timed_out|transport_failed) at the end",
        r"Completed, timer K: with (pass_up|timed_out|transport_failed) at the end",
        r"Terminated, .*: with (pass_up|timed_out|transport_failed) at the end",
    ),
    "its end stops the timer that was begun": (
        r"Completed, timer K: with (double_timer_e|restart_timer_e_at_t2) before end",
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


class Options(Element):
    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable)
        self.user = ClientRecorder()
        self.layer.send_request(unsent("OPTIONS"), self.flow, self.user)
        self.options = self.flow.last_request()

    def watch(self, seconds: float) -> list[float]:
        """When something is sent again, in seconds from now."""
        found, seen, start = [], len(self.flow.resent), self.clock.now()
        for _ in range(round(seconds / 0.05)):
            self.clock.pass_time(0.05)
            found += [round(self.clock.now() - start, 2)] * (len(self.flow.resent) - seen)
            seen = len(self.flow.resent)
        return found


def test_timer_e_doubles_up_to_t2_until_timer_f() -> None:
    options = Options()
    assert options.watch(40) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert set(options.flow.resent) == {options.options.encode()}
    assert options.user.failures == [408]
    assert options.layer.transactions() == (0, 0) and not options.clock.timers.running()


def test_timer_e_is_t2_once_proceeding() -> None:
    options = Options()
    options.receive(reply(options.options, 100))
    assert options.watch(40) == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert options.user.failures == [408]  # a 1xx does not stop timer F


def test_a_connection_repeats_nothing() -> None:
    options = Options(reliable=True)
    assert options.watch(31.9) == []
    options.clock.pass_time(0.2)
    assert options.user.failures == [408]


def test_timer_k_absorbs_repeated_answers_for_t4() -> None:
    options = Options()
    options.receive(reply(options.options, 200))
    options.clock.pass_time(4.9)
    options.receive(reply(options.options, 200))
    assert options.user.statuses == [200] and options.core.stray == []
    options.clock.pass_time(0.15)
    assert options.layer.transactions() == (0, 0)


def test_timer_k_is_0_on_a_connection() -> None:
    options = Options(reliable=True)
    options.receive(reply(options.options, 200))
    assert options.layer.transactions() == (0, 0) and not options.clock.timers.running()


def test_the_request_is_dropped_with_its_final_response() -> None:
    element = Element()
    transaction = element.layer.send_request(unsent("OPTIONS"), element.flow, ClientRecorder())
    element.receive(reply(element.flow.last_request(), 200))
    assert transaction.request is None
