"""`/api/events`: what a reader hears, how seldom, and what a slow one costs."""

from __future__ import annotations

import json

import pytest
from twisted.internet.task import Clock

from b2bua.http.api_events import ALIVE, DISTANCE, MAX_READERS
from tests.http.live import site_of
from tests.http.requests import FakeRequest, get
from tests.trace.hand_made import Scene, request


class Watched:
    """A site, a reader and messages."""

    def __init__(self) -> None:
        self.scene, self.clock = Scene(), Clock()
        self.site = site_of(self.scene.recorder, self.clock)
        self.answer = get(self.site, "/api/events")
        self._number = 0

    def messages(self, count: int = 1) -> None:
        for _ in range(count):
            self._number += 1
            self.scene.up("6001", request("OPTIONS", "6001", "6002", f"o-{self._number}", self._number))

    def heard(self, answer: FakeRequest | None = None) -> list[int | str]:
        """How many messages each event speaks of, `alive` for a comment."""
        blocks = (answer or self.answer).text.split("\n\n")
        assert blocks.pop() == ""
        return [_read(block) for block in blocks]


def _read(block: str) -> int | str:
    if block.startswith(": "):
        return block[2:]
    name, data = block.split("\n")
    assert name == "event: changed"
    return int(json.loads(data.removeprefix("data: "))["messages"])


def test_the_first_event_comes_at_once_and_others_are_folded() -> None:
    watched = Watched()
    assert watched.heard() == [0]
    assert watched.answer.content_type == "text/event-stream; charset=utf-8"
    watched.messages(3)
    watched.clock.advance(DISTANCE - 0.01)
    watched.messages(2)
    assert watched.heard() == [0]
    watched.clock.advance(0.01)
    assert watched.heard() == [0, 5]
    watched.messages()
    watched.clock.advance(DISTANCE)
    assert watched.heard() == [0, 5, 1]


def test_after_quiet_an_event_is_not_late() -> None:
    watched = Watched()
    watched.clock.advance(DISTANCE * 3)
    watched.messages()
    watched.clock.advance(0)
    assert watched.heard() == [0, 1]


def test_quiet_is_told() -> None:
    watched = Watched()
    watched.clock.advance(ALIVE)
    watched.clock.advance(ALIVE)
    assert watched.heard() == [0, "alive", "alive"]


def test_a_reader_that_does_not_read_costs_nothing() -> None:
    watched = Watched()
    watched.answer.producer.pauseProducing()
    watched.messages(500)
    watched.clock.advance(60)
    assert watched.heard() == [0] and not watched.clock.getDelayedCalls()
    watched.answer.producer.resumeProducing()
    watched.clock.advance(0)
    assert watched.heard() == [0, 500]


@pytest.mark.parametrize("end", ["hang_up", "stop"])
def test_nothing_is_left_of_a_reader_that_goes(end: str) -> None:
    watched = Watched()
    watched.messages()
    if end == "hang_up":
        watched.answer.hang_up()
    else:
        watched.answer.producer.stopProducing()
    assert not watched.clock.getDelayedCalls()
    watched.messages(5)
    watched.clock.advance(60)
    assert watched.heard() == [0] and not watched.clock.getDelayedCalls()


def test_readers_are_bounded_and_places_are_given_back() -> None:
    watched = Watched()
    readers = [get(watched.site, "/api/events") for _ in range(MAX_READERS)]
    assert [reader.responseCode for reader in readers] == [200] * (MAX_READERS - 1) + [503]
    readers[0].hang_up()
    assert get(watched.site, "/api/events").responseCode == 200
