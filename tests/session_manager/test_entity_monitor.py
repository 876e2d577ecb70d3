"""Which feature servers answer: over the link in process once, over a network again and again."""

from __future__ import annotations

import pytest

from b2bua.session_manager.entity_monitor import INTERVAL, EntityMonitor
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.sip.message import Request
from tests.transaction.neighbours import Element, reply


class World(Element):
    """Session Manager's layer and one link, whose far end is the test."""

    def __init__(self, transport: str) -> None:
        super().__init__(reliable=True)
        self.flow.transport = transport
        links = Links()
        links.add(FeatureLink("cm", self.flow))
        self.monitor = EntityMonitor(links, self.layer, "example.com")

    def asked(self) -> list[Request]:
        return [message for message in self.flow.sent if isinstance(message, Request)]

    def answer(self, status: int) -> None:
        self.receive(reply(self.asked()[-1], status))

    @property
    def entity(self) -> tuple[bool, float | None]:
        up, rtt = self.monitor.entities()["cm"]
        return up, None if rtt is None else round(rtt, 3)


@pytest.fixture
def far() -> World:
    return World("udp")


def test_nobody_is_known_before_the_start(far: World) -> None:
    assert far.monitor.entities() == {} and far.asked() == []


def test_the_question(far: World) -> None:
    far.monitor.start()
    [options] = far.asked()
    host, port = far.flow.remote
    assert (options.method, options.uri) == ("OPTIONS", f"sip:cm@{host}:{port}")
    assert (options.get("From") or "").startswith("<sip:example.com>;tag=")
    assert (options.get("Max-Forwards"), options.cseq) == ("70", 1)
    assert far.entity == (False, None)  # nothing is claimed before it answers


def test_the_answer_and_the_next_question(far: World) -> None:
    far.monitor.start()
    far.clock.pass_time(0.25)
    far.answer(200)
    assert far.entity == (True, 0.25)
    far.clock.pass_time(INTERVAL - 1)
    assert len(far.asked()) == 1
    far.clock.pass_time(1.1)
    assert len(far.asked()) == 2
    first, second = far.asked()
    assert first.call_id != second.call_id


@pytest.mark.parametrize("status", [404, 405, 481, 500])
def test_whoever_refuses_is_there(far: World, status: int) -> None:
    far.monitor.start()
    far.answer(status)
    assert far.entity == (True, 0.0)


@pytest.mark.parametrize("status", [408, 503])
def test_whoever_says_that_it_is_not(far: World, status: int) -> None:
    far.monitor.start()
    far.answer(200)
    far.clock.pass_time(INTERVAL + 0.1)
    far.answer(status)
    assert far.entity == (False, 0.0)  # the last round trip stays as it was


def test_silence_and_the_way_back(far: World) -> None:
    far.monitor.start()
    far.answer(200)
    far.clock.pass_time(INTERVAL + 0.1)
    assert far.entity == (True, 0.0)
    far.clock.pass_time(33)
    assert far.entity[0] is False
    far.clock.pass_time(INTERVAL)
    assert len(far.asked()) == 3
    far.answer(200)
    assert far.entity[0] is True


def test_a_provisional_answer_is_none(far: World) -> None:
    far.monitor.start()
    far.answer(100)
    assert far.entity == (False, None)


def test_the_link_in_process_is_asked_once() -> None:
    near = World("memory")
    near.monitor.start()
    near.answer(200)
    near.clock.pass_time(3 * INTERVAL)
    assert near.entity == (True, 0.0) and len(near.asked()) == 1
