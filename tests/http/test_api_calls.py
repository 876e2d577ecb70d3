"""`/api/calls`: which question becomes which verb, what comes back, and who may ask."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from b2bua.http.api_calls import CallsPage
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest


class Calls:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: tuple[int, object] = (202, {"id": "7"})

    def ask(self, verb: str, words: Mapping[str, str]) -> tuple[int, object]:
        self.asked.append((verb, dict(words)))
        return self.answer


class Door:
    def __init__(self, off: bool = False) -> None:
        self.calls = Calls()
        self.site = site_of(Recorder(5, lambda: 0.0), controls={b"calls": CallsPage(None if off else self.calls)})

    def ask(self, method: str, query: str = "", client: str = "127.0.0.1", **headers: str) -> FakeRequest:
        request = FakeRequest(f"/api/calls{query}", client, **headers)
        request.method = method.encode()
        request.render(self.site.getResourceFor(request))
        return request


@pytest.mark.parametrize(
    ("method", "query", "verb"),
    [
        ("GET", "", "list"),
        ("GET", "?id=7", "view"),
        ("POST", "?do=make&from=6001&to=6002", "make"),
        ("POST", "?do=hold&id=7&user=6001", "hold"),
        ("POST", "", ""),
        ("POST", "?do=view&id=7", ""),
        ("DELETE", "?id=7", "end"),
    ],
)
def test_what_is_asked(method: str, query: str, verb: str) -> None:
    door = Door()
    door.ask(method, query, x_b2bua="1")
    [(asked, words)] = door.calls.asked
    assert asked == verb
    assert words == dict(pair.split("=") for pair in query.lstrip("?").split("&") if pair)


def test_what_comes_back() -> None:
    door = Door()
    answer = door.ask("POST", "?do=make&from=6001&to=6002", x_b2bua="1")
    assert (answer.responseCode, answer.content_type, json.loads(answer.text)) == (202, "application/json", {"id": "7"})
    door.calls.answer = (200, [{"id": "7"}])
    assert json.loads(door.ask("GET").text) == {"calls": [{"id": "7"}]}
    door.calls.answer = (409, "call 7 is busy: hold")
    answer = door.ask("POST", "?do=hold&id=7&user=6001", x_b2bua="1")
    assert (answer.responseCode, answer.text) == (409, "call 7 is busy: hold\n")


def test_where_nothing_can_be_steered_it_is_404() -> None:
    assert Door(off=True).ask("GET").responseCode == 404


def test_nobody_else_sees_or_changes_it() -> None:
    door = Door()
    assert door.ask("POST", "?do=make&from=6001&to=6002").responseCode == 403
    assert door.ask("DELETE", "?id=7").responseCode == 403
    assert door.ask("GET", client="192.0.2.66").responseCode == 403
    assert door.ask("DELETE", "?id=7", client="192.0.2.66", x_b2bua="1").responseCode == 403
    assert door.calls.asked == []
