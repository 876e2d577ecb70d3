"""`/api/bans`: what it shows, and who may change it."""

from __future__ import annotations

import json

import pytest

from b2bua.http.api_bans import BansPage
from b2bua.observer import Observer
from b2bua.session_manager.bans import BanRule, Bans
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest


class Control:
    """A site with the page, and real bans after one failure for 60 s."""

    def __init__(self, off: bool = False) -> None:
        self.seconds = 0.0
        self.bans = Bans(BanRule(1, 10, 60), lambda: self.seconds, Observer(), lambda event, **fields: None)
        self.site = site_of(Recorder(5, lambda: 0.0), controls={b"bans": BansPage(None if off else self.bans)})

    def ask(self, method: str, path: str = "/api/bans", client: str = "127.0.0.1", **headers: str) -> FakeRequest:
        request = FakeRequest(path, client, **headers)
        request.method = method.encode()
        request.render(self.site.getResourceFor(request))
        return request


def test_lists_who_is_banned() -> None:
    control = Control()
    assert json.loads(control.ask("GET").text) == {"bans": []}
    control.bans.failed("192.0.2.66")
    control.bans.failed("2001:db8::1")
    control.seconds = 10.04
    answer = control.ask("GET")
    assert answer.content_type == "application/json"
    assert json.loads(answer.text) == {
        "bans": [{"source": "192.0.2.66", "seconds_left": 50.0}, {"source": "2001:db8::/64", "seconds_left": 50.0}]
    }


@pytest.mark.parametrize(("host", "address"), [
    ("192.0.2.66", "192.0.2.66"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::1", "2001:db8::7"),
])  # fmt: skip
def test_lifts_a_ban_once(host: str, address: str) -> None:
    control = Control()
    control.bans.failed(host)
    path = f"/api/bans?address={address}"
    assert json.loads(control.ask("DELETE", path, x_b2bua="1").text) == {"bans": []}
    assert not control.bans.holds(host)
    answer = control.ask("DELETE", path, x_b2bua="1")
    assert (answer.responseCode, answer.text) == (404, "this address is not banned\n")


@pytest.mark.parametrize("path", ["/api/bans", "/api/bans?address=", "/api/bans?address=%FF", "/api/bans?address=192.0.2.7"])
def test_what_is_not_banned_is_404(path: str) -> None:
    control = Control()
    control.bans.failed("192.0.2.66")
    assert control.ask("DELETE", path, x_b2bua="1").responseCode == 404
    assert control.bans.holds("192.0.2.66")


def test_where_it_is_off_the_list_is_empty() -> None:
    control = Control(off=True)
    assert json.loads(control.ask("GET").text) == {"bans": []}
    assert control.ask("DELETE", "/api/bans?address=192.0.2.66", x_b2bua="1").responseCode == 404


def test_nobody_else_sees_or_changes_it() -> None:
    control = Control()
    control.bans.failed("192.0.2.66")
    path = "/api/bans?address=192.0.2.66"
    assert control.ask("DELETE", path).responseCode == 403
    assert control.ask("DELETE", path, client="192.0.2.66", x_b2bua="1").responseCode == 403
    assert control.ask("GET", client="192.0.2.66").responseCode == 403
    assert control.bans.holds("192.0.2.66")
