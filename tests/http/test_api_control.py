"""What changes something: by whom it may be asked for, and what it answers."""

from __future__ import annotations

import json

import pytest

from b2bua.http.api_control import DrainPage, ReloadPage
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest


class FakeDrain:
    def __init__(self) -> None:
        self.draining = False

    def state(self) -> dict[str, object]:
        return {"draining": self.draining, "calls": 3}

    def start(self) -> None:
        self.draining = True

    def undo(self) -> None:
        self.draining = False


class Control:
    """A site with both pages."""

    def __init__(self) -> None:
        self.drain = FakeDrain()
        self.reason = ""
        controls = {b"drain": DrainPage(self.drain), b"reload": ReloadPage(lambda: self.reason)}
        self.site = site_of(Recorder(5, lambda: 0.0), controls=controls)

    def ask(self, method: str, path: str, client: str = "127.0.0.1", **headers: str) -> FakeRequest:
        request = FakeRequest(path, client, **headers)
        request.method = method.encode()
        request.render(self.site.getResourceFor(request))
        return request


@pytest.fixture
def control() -> Control:
    return Control()


def test_drain_begins_and_is_taken_back(control: Control) -> None:
    assert json.loads(control.ask("GET", "/api/drain").text) == {"draining": False, "calls": 3}
    assert json.loads(control.ask("POST", "/api/drain", x_b2bua="1").text) == {"draining": True, "calls": 3}
    assert control.drain.draining
    answer = control.ask("DELETE", "/api/drain", x_b2bua="1")
    assert json.loads(answer.text)["draining"] is False and answer.content_type == "application/json"
    assert not control.drain.draining


def test_reload_tells_what_came_of_it(control: Control) -> None:
    answer = control.ask("POST", "/api/reload", x_b2bua="1")
    assert (answer.responseCode, answer.text) == (200, "settings, users and features read again\n")
    control.reason = "lab.toml:2: unknown key"
    answer = control.ask("POST", "/api/reload", x_b2bua="1")
    assert (answer.responseCode, answer.text) == (409, "lab.toml:2: unknown key\n")


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/drain"), ("DELETE", "/api/drain"), ("POST", "/api/reload")])
def test_a_form_on_a_page_of_somebody_else_changes_nothing(control: Control, method: str, path: str) -> None:
    answer = control.ask(method, path)
    assert (answer.responseCode, answer.text) == (403, "a request that changes something needs the header x-b2bua\n")
    assert control.ask(method, path, client="192.0.2.1", x_b2bua="1").responseCode == 403
    assert not control.drain.draining
