"""The heartbeat: who is asked, when, and what is made of an answer and of none."""

from __future__ import annotations

from b2bua.sip.message import Request
from b2bua.transaction.heartbeat import Heartbeat
from tests.transaction.neighbours import Element, reply

INTERVAL = 5.0


class Asking(Element):
    """An element with a heartbeat for the peer on its flow; `changes` is what its owner was told."""

    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable=reliable)
        self.changes: list[bool] = []
        self.heartbeat = Heartbeat(self.layer, self.flow, "<sip:example.com>", INTERVAL, self.changes.append)
        self.heartbeat.start()

    def questions(self) -> list[Request]:
        return self.flow.requests("OPTIONS")

    def answer(self, status: int = 200) -> None:
        self.receive(reply(self.questions()[-1], status))


def test_the_question() -> None:
    asking = Asking()
    (question,) = asking.questions()
    assert question.uri == question.to.uri == "sip:192.0.2.10:5060"
    assert question.from_.uri == "sip:example.com" and question.from_.tag and not question.to.tag
    assert question.get("Max-Forwards") == "70" and question.get("Accept") == "application/sdp"


def test_down_until_the_first_answer_whatever_it_says() -> None:
    asking = Asking()
    assert not asking.heartbeat.up and asking.changes == []
    asking.clock.pass_time(0.1)
    asking.answer(100)
    assert not asking.heartbeat.up
    asking.answer(503)
    assert asking.heartbeat.up and asking.changes == [True]
    assert asking.heartbeat.rtt is not None and abs(asking.heartbeat.rtt - 0.1) < 0.01


def test_asked_again_after_the_interval() -> None:
    asking = Asking()
    asking.answer()
    asking.clock.pass_time(INTERVAL - 0.1)
    assert len(asking.questions()) == 1
    asking.clock.pass_time(0.2)
    first, second = asking.questions()
    assert (second.call_id, second.cseq) == (first.call_id, 2)
    assert asking.changes == [True]


def test_silence_means_down_and_the_question_is_repeated() -> None:
    asking = Asking()
    asking.answer()
    asking.clock.pass_time(INTERVAL + 0.1)
    asking.clock.pass_time(INTERVAL + 0.1)
    assert asking.changes == [True, False]
    before = len(asking.flow.resent)
    asking.clock.pass_time(8)
    assert len(asking.flow.resent) - before == 2
    asking.answer()
    assert asking.changes == [True, False, True]
    assert asking.heartbeat.rtt == 0, "an answer to a repeated question tells no time"


def test_a_peer_that_never_comes_is_asked_for_ever() -> None:
    asking = Asking()
    asking.clock.pass_time(200)
    assert asking.changes == []
    assert len(asking.questions()) == 7, "one at a time, 64·T1 each"
    assert asking.layer.transactions() == (0, 1)


def test_a_peer_that_speaks_is_up() -> None:
    asking = Asking()
    asking.clock.pass_time(10)
    asking.heartbeat.heard()
    assert asking.heartbeat.up and asking.changes == [True]


def test_a_peer_that_speaks_and_dies_at_once_is_found_out() -> None:
    """Found by its own question while ours is being repeated every T2, and gone before the next repetition."""
    asking = Asking()
    asking.clock.pass_time(10)
    asking.heartbeat.heard()
    asking.clock.pass_time(INTERVAL + 0.1)
    assert asking.changes == [True, False]


def test_no_connection() -> None:
    asking = Asking(reliable=True)
    asking.answer()
    asking.clock.pass_time(INTERVAL + 0.1)
    asking.layer.flow_failed(asking.flow)
    assert asking.changes == [True, False]
    assert len(asking.questions()) == 2, "not in a hurry"
    asking.clock.pass_time(INTERVAL + 0.1)
    assert len(asking.questions()) == 3


def test_stopped() -> None:
    asking = Asking()
    asking.heartbeat.stop()
    asking.answer()
    asking.clock.pass_time(60)
    assert len(asking.questions()) == 1 and asking.changes == []
    assert asking.clock.timers.running() == 0 and asking.layer.transactions() == (0, 0)


def test_without_an_interval_it_asks_once() -> None:
    asking = Asking()
    once = Heartbeat(asking.layer, asking.flow, "<sip:example.com>", 0, asking.changes.append)
    asking.heartbeat.stop()
    once.start()
    assert len(asking.questions()) == 2
    asking.answer()
    assert once.up and once.rtt is not None
    asking.clock.pass_time(600)
    assert len(asking.questions()) == 2
