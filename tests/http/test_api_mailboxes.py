"""`/api/mailboxes`: what it shows, and who may change it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from b2bua.http.api_mailboxes import MailboxesPage
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest

Done = Callable[[Exception | None], None]


class Box(NamedTuple):
    user: str
    new: int
    old: int


class Boxes:
    """Writes when the test says so."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}
        self.waiting: list[Done] = []

    def list(self) -> list[Box]:
        return sorted(self.boxes.values())

    def put(self, user: str, new: int, old: int, done: Done) -> None:
        self.boxes[user] = Box(user, new, old)
        self.waiting.append(done)

    def clear(self, user: str, done: Done) -> bool:
        if self.boxes.pop(user, None) is None:
            return False
        self.waiting.append(done)
        return True

    def written(self, error: Exception | None = None) -> None:
        self.waiting.pop()(error)


class Control:
    def __init__(self) -> None:
        self.boxes = Boxes()
        page = MailboxesPage(self.boxes, {"6001", "6002", "a&b"}.__contains__)
        self.site = site_of(Recorder(5, lambda: 0.0), controls={b"mailboxes": page})

    def ask(self, method: str, query: str = "", client: str = "127.0.0.1", **headers: str) -> FakeRequest:
        request = FakeRequest(f"/api/mailboxes{query}", client, **headers)
        request.method = method.encode()
        request.render(self.site.getResourceFor(request))
        return request


def test_sets_shows_and_clears() -> None:
    control = Control()
    request = control.ask("POST", "?user=6001&new=3&old=5", x_b2bua="1")
    assert not request.finished  # not before the store has it
    control.boxes.written()
    shown = {"mailboxes": [{"user": "6001", "new": 3, "old": 5}]}
    assert (request.finished, request.responseCode, json.loads(request.text)) == (1, 200, shown)
    assert json.loads(control.ask("GET").text) == shown
    assert control.ask("GET").content_type == "application/json"
    request = control.ask("DELETE", "?user=6001", x_b2bua="1")
    control.boxes.written()
    assert json.loads(request.text) == {"mailboxes": []}


def test_old_messages_need_not_be_told() -> None:
    control = Control()
    control.ask("POST", "?user=6001&new=4294967295", x_b2bua="1")
    assert control.boxes.list() == [Box("6001", 4294967295, 0)]


@pytest.mark.parametrize("query", [
    "", "?user=6001", "?user=6001&new=", "?user=6001&new=-1", "?user=6001&new=x", "?user=6001&new=4294967296",
    "?user=6001&new=1&old=x", "?user=6001&new=1_0", "?user=6001&new=99999999999999999999",
])  # fmt: skip
def test_what_is_no_count(query: str) -> None:
    control = Control()
    assert control.ask("POST", query, x_b2bua="1").responseCode == 400
    assert not control.boxes.boxes


def test_who_is_no_user() -> None:
    control = Control()
    answer = control.ask("POST", "?user=6009&new=1", x_b2bua="1")
    assert (answer.responseCode, answer.text) == (404, "there is no such user\n")
    answer = control.ask("DELETE", "?user=6001", x_b2bua="1")
    assert (answer.responseCode, answer.text) == (404, "nothing is set for this user\n")


@pytest.mark.parametrize(("method", "query"), [("POST", "?user=6001&new=1"), ("DELETE", "?user=6001")])
def test_what_changes_something_needs_the_mark_and_this_machine(method: str, query: str) -> None:
    control = Control()
    control.boxes.boxes["6001"] = Box("6001", 7, 0)
    assert control.ask(method, query).responseCode == 403
    assert control.ask(method, query, client="192.0.2.9", x_b2bua="1").responseCode == 403
    assert control.boxes.list() == [Box("6001", 7, 0)]


def test_a_store_that_takes_nothing_is_503() -> None:
    control = Control()
    request = control.ask("POST", "?user=6001&new=1", x_b2bua="1")
    control.boxes.written(OSError("disk full"))
    assert (request.responseCode, request.finished) == (503, 1)
    assert "disk" not in request.text and "not yet written" in request.text


def test_a_client_that_left_is_not_answered() -> None:
    control = Control()
    request = control.ask("POST", "?user=6001&new=1", x_b2bua="1")
    request.hang_up()
    control.boxes.written()
    assert not request.finished
