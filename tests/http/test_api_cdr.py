"""`/api/cdr`: what is asked of the search, what is no question, and a disk that gives nothing or takes its time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from b2bua.http.api_cdr import MAX_READING, CdrPage
from b2bua.http.api_routes import BY_NAME
from b2bua.store.call_detail_line import CallDetailLine, SideLine
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest, get


class World:
    """A site whose searches a test answers."""

    def __init__(self, kept: bool = True, wait: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self.result: tuple[list[bytes], bool] | OSError = ([b'{"id":"c1"}', b'{"id":"c2"}'], False)
        self.waiting: list[Deferred[Any]] = []
        self._wait = wait
        self.page = CdrPage(lambda: self._search if kept else None, self._run)
        self.site = site_of(Recorder(10, lambda: 0.0), controls={b"cdr": self.page})

    def _search(self, **wanted: Any) -> tuple[list[bytes], bool]:
        self.asked.append(wanted)
        if isinstance(self.result, OSError):
            raise self.result
        return self.result

    def _run(self, function: Any, **arguments: Any) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        deferred.addCallback(lambda _: function(**arguments))
        if self._wait:
            self.waiting.append(deferred)
        else:
            deferred.callback(None)
        return deferred

    def ask(self, query: str = "") -> FakeRequest:
        return get(self.site, f"/api/cdr{query}")


def test_records_as_they_stand() -> None:
    world = World()
    answer = world.ask()
    assert (answer.responseCode, answer.content_type, answer.finished) == (200, "application/json", 1)
    assert json.loads(answer.text) == {"cdr": [{"id": "c1"}, {"id": "c2"}], "more": False}
    world.result = ([], True)
    assert json.loads(world.ask().text) == {"cdr": [], "more": True}


def test_what_is_asked() -> None:
    world = World()
    for query in ("", "?since=1793275200.25&user=6001&call=c%207&limit=1000", "?since=&limit=1"):
        assert world.ask(query).responseCode == 200
    assert world.asked == [
        {"since": 0.0, "user": "", "call": "", "limit": 100},
        {"since": 1793275200.25, "user": "6001", "call": "c%207", "limit": 1000},  # the fake request decodes nothing
        {"since": 0.0, "user": "", "call": "", "limit": 1},
    ]


@pytest.mark.parametrize(("query", "said"), [
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=-1", "limit"), ("limit=", "limit"), ("limit=ten", "limit"),
    ("limit=99999999999999999999", "limit"), ("since=yesterday", "since"), ("since=nan", "since"), ("since=1e999", "since"),
    ("colour=red", "colour: none of since, user, call, limit"),
])  # fmt: skip
def test_what_is_no_question_is_400_in_a_sentence(query: str, said: str) -> None:
    world = World()
    answer = world.ask(f"?{query}")
    assert answer.responseCode == 400 and answer.text.startswith(said) and not world.asked


def test_where_none_are_kept_it_is_404() -> None:
    answer = World(kept=False).ask()
    assert (answer.responseCode, answer.text) == (404, "no call detail records are kept: cdr is not set\n")


def test_a_disk_that_gives_nothing_is_503_and_the_next_question_is_asked_again() -> None:
    world = World()
    world.result = OSError(5, "Input/output error")
    for _ in range(MAX_READING + 1):
        answer = world.ask()
        assert (answer.responseCode, answer.text) == (503, "the records cannot be read: Input/output error\n")


def test_so_many_at_a_time() -> None:
    world = World(wait=True)
    waiting = [world.ask() for _ in range(MAX_READING)]
    assert [one.finished for one in waiting] == [0] * MAX_READING
    assert world.ask().responseCode == 503
    world.waiting.pop(0).callback(None)
    assert (waiting[0].finished, waiting[0].responseCode) == (1, 200)
    assert not world.ask().finished


def test_who_has_left_is_not_answered_and_holds_no_place() -> None:
    world = World(wait=True)
    leaves = [world.ask() for _ in range(MAX_READING)]
    for one in leaves:
        one.hang_up()
    for deferred in world.waiting:
        deferred.callback(None)
    assert all(one.text == "" and not one.finished for one in leaves)
    assert not world.ask().finished


def test_the_description_holds_a_record_and_nothing_that_leads_out_of_it() -> None:
    operation = BY_NAME["cdr"].operation("GET")
    assert operation is not None
    schema = operation.answers[200].schema
    assert schema is not None and "$ref" not in json.dumps(schema)
    described = schema["properties"]["cdr"]["items"]["properties"]
    assert set(described) == set(CallDetailLine.__struct_fields__)
    assert set(described["caller"]["properties"]) == set(SideLine.__struct_fields__)
