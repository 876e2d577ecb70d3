"""The link in process: what is sent arrives in order, and never inside the send that caused it."""

from __future__ import annotations

import pytest

from b2bua.sip.flow import Flow
from b2bua.sip.message import Message, Request, Response
from b2bua.transport.memory import MemoryFlow, Turns, memory_link
from tests.transaction.neighbours import reply, request

SM, CM = ("sm.example.com", 5060), ("fs.example.com", 5060)


class Link:
    """Both ends, what each received and on which flow, and what the trace saw."""

    def __init__(self) -> None:
        self.wakes = 0
        self.turns = Turns(self._wake)
        self.recorded: list[tuple[tuple[str, str], Message]] = []
        self.down, self.up = memory_link("cm", (SM, CM), self.turns, lambda *seen: self.recorded.append(seen))
        self.received: list[tuple[str, Message, Flow]] = []
        self.down.connect(self.up, lambda message, flow: self.hear("SM", message, flow))
        self.up.connect(self.down, lambda message, flow: self.hear("CM", message, flow))
        self.answers = 0

    def _wake(self) -> None:
        self.wakes += 1

    def hear(self, who: str, message: Request | Response, flow: Flow) -> None:
        self.received.append((who, message, flow))

    def order(self) -> list[tuple[str, int]]:
        return [(who, message.cseq) for who, message, _ in self.received]


def test_the_two_ends_know_each_other() -> None:
    link = Link()
    assert (link.down.local, link.down.remote) == (SM, CM)
    assert (link.up.local, link.up.remote) == (CM, SM)
    for flow in (link.down, link.up):
        assert (flow.transport, flow.via_transport, flow.listener) == ("memory", "TCP", "memory:cm")
        assert flow.reliable
        assert flow.towards(("192.0.2.9", 9)) is flow


def test_what_is_sent_arrives_as_the_same_object_with_the_way_back() -> None:
    link = Link()
    down, up = request("INVITE"), reply(request("INVITE"), 200)
    assert link.down.send(down) == b""
    assert link.up.send(up) == b""
    assert link.received == []
    link.turns.run()
    assert link.received == [("CM", down, link.up), ("SM", up, link.down)]
    assert link.received[0][1] is down
    assert link.recorded == [(("SM", "CM"), down), (("CM", "SM"), up)]


def test_the_order_is_that_of_the_sends() -> None:
    link = Link()
    for number in range(1, 6):
        (link.down if number % 2 else link.up).send(request("INFO", cseq=number))
    link.turns.run()
    assert link.order() == [("CM", 1), ("SM", 2), ("CM", 3), ("SM", 4), ("CM", 5)]


def test_nobody_is_re_entered() -> None:
    link = Link()
    inside: list[str] = []
    depth = 0

    def hear(who: str, back: MemoryFlow, message: Request | Response) -> None:
        nonlocal depth
        depth += 1
        assert depth == 1
        inside.append(f"{who} {message.cseq}")
        if message.cseq < 4:
            back.send(request("INFO", cseq=message.cseq + 1))
            back.send(request("INFO", cseq=message.cseq + 10))
        depth -= 1

    link.down.connect(link.up, lambda message, flow: hear("SM", link.down, message))
    link.up.connect(link.down, lambda message, flow: hear("CM", link.up, message))
    link.down.send(request("INFO", cseq=1))
    link.turns.run()
    assert inside == ["CM 1", "SM 2", "SM 11", "CM 3", "CM 12", "SM 4", "SM 13"]


def test_whoever_drives_is_not_woken() -> None:
    link = Link()
    link.turns.driving = True
    link.down.send(request("INFO"))
    assert link.wakes == 0
    link.turns.run()
    assert len(link.received) == 1 and not link.turns.driving


def test_a_send_outside_wakes_once() -> None:
    link = Link()
    link.down.send(request("INFO"))
    link.down.send(request("INFO"))
    assert link.wakes == 1
    link.turns.run()
    link.up.send(request("INFO"))
    assert link.wakes == 2


def test_a_delivery_that_raises_stops_no_later_one() -> None:
    link = Link()

    def fail(message: Request | Response, flow: Flow) -> None:
        if message.cseq == 1:
            raise RuntimeError("mistake")
        link.hear("CM", message, flow)

    link.up.connect(link.down, fail)
    link.down.send(request("INFO", cseq=1))
    link.down.send(request("INFO", cseq=2))
    assert link.wakes == 1
    with pytest.raises(RuntimeError):
        link.turns.run()
    assert link.wakes == 2  # somebody goes on with what still waits
    link.down.send(request("INFO", cseq=3))
    link.turns.run()
    assert link.order() == [("CM", 2), ("CM", 3)]


def test_nothing_is_ever_repeated() -> None:
    link = Link()
    link.down.resend(b"INVITE")
    link.turns.run()
    assert link.received == [] and link.recorded == []


def test_an_end_that_was_never_connected() -> None:
    down, _ = memory_link("cm", (SM, CM), Turns(lambda: None), lambda *_: None)
    with pytest.raises(AttributeError):
        down.send(request("INFO"))
