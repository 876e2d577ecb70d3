"""`/api/logs`: what is found, what is no question, and that whoever watches hears of new entries."""

from __future__ import annotations

import json

import pytest
from twisted.internet.task import Clock

from b2bua.http.api_events import DISTANCE
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import get
from tests.log_lines import kept_log


class World:
    """A site whose log a test writes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.log, self.clock = kept_log(self.lines, levels={"all": "debug"}), Clock()
        self.site = site_of(Recorder(10, lambda: 0.0), self.clock, log=self.log)

    def found(self, query: str = "") -> list[str]:
        answer = json.loads(get(self.site, f"/api/logs{query}").text)
        return [entry["event"] for entry in answer["logs"]]


def test_search() -> None:
    world = World()
    world.log("call_offered", call="c1", user="sip:6001@example.com", callee="sip:6002@example.com")
    world.log("credentials_wrong", user="6003", peer=("192.0.2.3", 5060), method="REGISTER")
    assert world.found() == ["call_offered", "credentials_wrong"]
    assert world.found("?level=warning") == world.found("?user=6003") == world.found("?after=1") == ["credentials_wrong"]
    assert world.found("?area=calls&call=c1") == ["call_offered"]
    answer = get(world.site, "/api/logs")
    assert answer.content_type == "application/json" and json.loads(answer.text)["number"] == 2


@pytest.mark.parametrize("query", ["level=loud", "area=nowhere", "after=x", "colour=red"])
def test_what_is_no_question_is_400_in_a_sentence(query: str) -> None:
    answer = get(World().site, f"/api/logs?{query}")
    assert answer.responseCode == 400 and query.replace("=", ": ")[:6] in answer.text.replace("=", ": ")


def test_requests_are_logged_without_their_query_and_those_for_the_log_are_not() -> None:
    world = World()
    for path in ("/api/trace?call-id=private", "/api/logs?call=private"):
        world.site.log(get(world.site, path))
    assert [line.split(" peer")[0] for line in world.lines] == ["http_request method=GET path=/api/trace status=200"]


def test_who_watches_hears_of_entries() -> None:
    world = World()
    watching = get(world.site, "/api/events")
    for _ in range(3):
        world.log("reloaded", changed="x")
    world.clock.advance(DISTANCE)
    last = [line for line in watching.text.splitlines() if line.startswith("data: ")][-1]
    assert json.loads(last.removeprefix("data: ")) == {"messages": 0, "dropped": 0, "logged": 3}
    watching.hang_up()
    world.log("reloaded", changed="y")
    world.clock.advance(DISTANCE)
    assert watching.text.count("data: ") == 2
