"""`/api/faults`: what it shows, what it takes, and who may."""

from __future__ import annotations

import json
from random import Random

import pytest

from b2bua.faults.fault import parse_fault
from b2bua.faults.faults import MAX_FAULTS, Faults
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.http.api_faults import FaultsPage
from b2bua.observer import Observer
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest


class Control:
    """A site with the page, and faults that no message meets."""

    def __init__(self) -> None:
        self.wanted: list[bool] = []
        self.faults = Faults(
            lambda flow, users: "", lambda flow: "", lambda seed: Random(seed).random, Observer(), lambda event, **fields: None,
            self.wanted.append, FeatureFaults(lambda: (), Observer(), lambda error, message: None),
        )  # fmt: skip
        self.site = site_of(Recorder(5, lambda: 0.0), controls={b"faults": FaultsPage(self.faults)})

    def ask(self, method: str, query: str = "", client: str = "127.0.0.1", **headers: str) -> FakeRequest:
        request = FakeRequest(f"/api/faults{query}", client, **headers)
        request.method = method.encode()
        request.render(self.site.getResourceFor(request))
        return request


def test_added_listed_and_removed() -> None:
    control = Control()
    assert json.loads(control.ask("GET").text) == {"faults": []}
    answer = control.ask("POST", "?fault=drop method=notify user=6003", x_b2bua="1")
    assert answer.content_type == "application/json"
    one = {"number": 1, "fault": "drop user=6003 method=NOTIFY", "matched": 0, "acted": 0, "spent": False}
    assert json.loads(answer.text) == {"faults": [one]}
    control.ask("POST", "?fault=drop", x_b2bua="1")
    assert json.loads(control.ask("DELETE", "?number=1", x_b2bua="1").text)["faults"][0]["number"] == 2
    assert control.ask("DELETE", "?number=1", x_b2bua="1").responseCode == 404
    assert json.loads(control.ask("DELETE", "?number=all", x_b2bua="1").text) == {"faults": []}
    assert control.ask("DELETE", "?number=all", x_b2bua="1").text == '{"faults": []}\n'
    assert control.wanted[0] and not control.wanted[-1]


@pytest.mark.parametrize("query", ["", "?fault=", "?fault=lose", "?fault=drop\nuser="])
def test_what_is_no_fault_is_400_in_one_line(query: str) -> None:
    control = Control()
    answer = control.ask("POST", query, x_b2bua="1")
    assert answer.responseCode == 400 and answer.text.count("\n") == 1
    assert not control.faults.standing


@pytest.mark.parametrize("query", ["", "?number=", "?number=0", "?number=-1", "?number=1e3", "?number=7"])
def test_what_is_not_there_is_404(query: str) -> None:
    control = Control()
    control.faults.add(parse_fault("drop"))
    assert control.ask("DELETE", query, x_b2bua="1").responseCode == 404
    assert len(control.faults.standing) == 1


def test_there_is_an_end_to_them() -> None:
    control = Control()
    for _ in range(MAX_FAULTS):
        control.faults.add(parse_fault("drop"))
    assert control.ask("POST", "?fault=drop", x_b2bua="1").responseCode == 400


def test_nobody_else_sees_or_changes_it() -> None:
    control = Control()
    control.faults.add(parse_fault("drop"))
    assert control.ask("POST", "?fault=drop").responseCode == 403
    assert control.ask("DELETE", "?number=1").responseCode == 403
    assert control.ask("POST", "?fault=drop", client="192.0.2.66", x_b2bua="1").responseCode == 403
    assert control.ask("GET", client="192.0.2.66").responseCode == 403
    assert len(control.faults.standing) == 1
