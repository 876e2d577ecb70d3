"""The lanes beside a ladder: what was published of a user, from which message to which."""

from __future__ import annotations

import pytest

from b2bua.trace.lanes import HELD, IS_HELD, MAX_LANES, Lane, Stretch, lanes_of
from b2bua.trace.rows import Rows
from tests.trace.hand_made import Scene, document, request

KIND = "application/dialog-info+xml"


class Published:
    """PUBLISHes one after the other: message n is place n."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.count = 0

    def __call__(self, user: str, state: str, local: str = "", remote: str = "", call_id: str = "c") -> None:
        body = document(user, call_id, local, remote, state)
        self.body(user, body)

    def body(self, user: str, body: bytes) -> None:
        self.count += 1
        self.scene.up("6001", request("PUBLISH", user, user, f"p-{self.count}", self.count, body=body, body_type=KIND))

    def lanes(self) -> list[Lane]:
        rows = Rows()
        for record in self.scene.records():
            rows.take(record)
        assert len(rows.all) == self.count
        return lanes_of(rows.all)


@pytest.fixture
def published() -> Published:
    return Published()


def test_a_held_call(published: Published) -> None:
    for state, local in (("trying", ""), ("early", ""), ("confirmed", "yes"), ("confirmed", "no"), ("confirmed", "yes")):
        published("6001", state, local)
    published("6001", "terminated")
    assert published.lanes() == [Lane("6001", [
        Stretch(0, "trying", 1), Stretch(1, "early", 2), Stretch(2, "confirmed", 3), Stretch(3, HELD, 4),
        Stretch(4, "confirmed", 5),
    ])]  # fmt: skip


def test_what_lasts_has_no_end_and_what_is_said_again_no_stretch_of_its_own(published: Published) -> None:
    published("6002", "confirmed", "", "no")
    published("6002", "confirmed", "", "no")
    assert published.lanes() == [Lane("6002", [Stretch(0, IS_HELD)])]


def test_of_two_calls_the_newest_shows_and_the_other_is_there_still(published: Published) -> None:
    published("6001", "confirmed", "no", call_id="one")
    published("6001", "early", call_id="two")
    published("6001", "terminated", call_id="two")
    published("6001", "terminated", call_id="one")
    assert published.lanes() == [Lane("6001", [Stretch(0, HELD, 1), Stretch(1, "early", 2), Stretch(2, HELD, 3)])]


def test_each_user_has_a_lane_and_not_too_many(published: Published) -> None:
    for number in range(MAX_LANES + 2):
        published(str(6001 + number), "early")
    assert [lane.user for lane in published.lanes()] == [str(6001 + number) for number in range(MAX_LANES)]


def test_what_is_no_document_lights_nothing(published: Published) -> None:
    published.body("6001", b"<dialog-info")
    published.body("6001", b"\xff\x00")
    published.body("6001", b"")
    assert published.lanes() == []
