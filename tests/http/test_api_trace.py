"""`/api/trace` as NDJSON: filters, following, slow readers, secrets."""

from __future__ import annotations

import json
from concurrent.futures import Future
from typing import Any

import pytest
from twisted.internet.task import Clock

from b2bua.http import api_trace
from b2bua.http.api_trace import LATENCY, MAX_FOLLOWERS, PORTION
from b2bua.http.other_servers import Together
from b2bua.trace.exports import EXPORTS
from tests.http.live import site_of
from tests.http.requests import FakeRequest, get
from tests.trace.hand_made import Scene, request, standing_call


def turn(clock: Clock, times: int = 50) -> None:
    """Let the reactor go round."""
    for _ in range(times):
        clock.advance(LATENCY)


def records(answer: FakeRequest) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def options(scene: Scene, count: int, start: int = 1) -> None:
    for number in range(start, start + count):
        scene.up("6001", request("OPTIONS", "6001", "6002", f"o-{number}", number))


def test_whole_trace_then_the_end() -> None:
    call, clock = standing_call(), Clock()
    call.change("6001", "sendonly")
    answer = get(site_of(call.scene.recorder, clock), "/api/trace")
    assert answer.text == ""
    turn(clock)
    assert records(answer) == call.scene.records()
    assert (answer.content_type, answer.finished, clock.getDelayedCalls()) == ("application/x-ndjson", 1, [])


def test_empty_trace() -> None:
    clock = Clock()
    answer = get(site_of(Scene().recorder, clock), "/api/trace")
    turn(clock)
    assert (answer.text, answer.finished, answer.responseCode) == ("", 1, 200)


def test_filters() -> None:
    call, clock = standing_call(), Clock()
    options(call.scene, 3)
    site = site_of(call.scene.recorder, clock)
    answers = [get(site, f"/api/trace?{query}") for query in ("call-id=leg-b", "user=6003", "call-id=o-2&user=6001")]
    turn(clock)
    assert [len(records(answer)) for answer in answers] == [len(call.scene.records()) - 3, 0, 1]


def test_long_trace_comes_in_portions_and_stops_while_the_client_does_not_read() -> None:
    scene, clock = Scene(), Clock()
    options(scene, 2 * PORTION)
    answer = get(site_of(scene.recorder, clock), "/api/trace")
    write = answer.write

    def choke(data: bytes) -> None:
        write(data)
        answer.producer.pauseProducing()

    answer.write = choke
    for expected in (PORTION, 2 * PORTION):
        turn(clock)
        assert (len(records(answer)), answer.finished, clock.getDelayedCalls()) == (expected, 0, [])
        answer.producer.resumeProducing()
    turn(clock)
    assert answer.finished == 1


def test_follow_streams_until_the_client_goes() -> None:
    scene, clock = Scene(), Clock()
    options(scene, 1)
    answer = get(site_of(scene.recorder, clock), "/api/trace?follow=1")
    turn(clock)
    assert (len(records(answer)), clock.getDelayedCalls()) == (1, [])
    options(scene, 2, start=2)
    turn(clock)
    assert [record["message"].split()[0] for record in records(answer)] == ["OPTIONS"] * 3
    assert not answer.finished
    answer.hang_up()
    options(scene, 1, start=4)
    turn(clock)
    assert (len(records(answer)), clock.getDelayedCalls()) == (3, [])


def test_follow_numbers_the_steps_of_a_hold_as_it_happens() -> None:
    call, clock = standing_call(), Clock()
    answer = get(site_of(call.scene.recorder, clock), "/api/trace?follow=1")
    turn(clock)
    call.change("6001", "sendonly")
    turn(clock)
    assert [record["step"] for record in records(answer) if "step" in record] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]


def test_slow_follower_loses_messages_and_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_trace, "MAX_WAITING", 3)
    scene, clock = Scene(), Clock()
    answer = get(site_of(scene.recorder, clock), "/api/trace?follow=1")
    turn(clock)
    answer.producer.pauseProducing()
    options(scene, 5)
    turn(clock)
    assert (records(answer), scene.recorder.dropped) == ([], 2)
    answer.producer.resumeProducing()
    turn(clock)
    assert (len(records(answer)), scene.recorder.dropped) == (3, 2)


def test_followers_are_bounded_and_leave_their_place() -> None:
    scene, clock = Scene(), Clock()
    site = site_of(scene.recorder, clock)
    answers = [get(site, "/api/trace?follow=true") for _ in range(MAX_FOLLOWERS + 1)]
    assert [answer.responseCode for answer in answers] == [200] * MAX_FOLLOWERS + [503]
    answers[0].producer.stopProducing()
    answers[0].hang_up()
    assert get(site, "/api/trace?follow=1").responseCode == 200
    assert get(site, "/api/trace?follow=1").responseCode == 503
    assert get(site, "/api/trace").responseCode == 200


@pytest.mark.parametrize(("trace_secrets", "query", "status", "shown"), [
    (False, "", 200, False), (True, "", 200, False), (False, "?secrets=1", 403, False), (True, "?secrets=1", 200, True),
])  # fmt: skip
def test_secrets(trace_secrets: bool, query: str, status: int, shown: bool) -> None:
    clock = Clock()
    answer = get(site_of(standing_call().scene.recorder, clock, trace_secrets=trace_secrets), f"/api/trace{query}")
    turn(clock)
    assert (answer.responseCode, "0123abcd" in answer.text) == (status, shown)


def test_unknown_parameter_is_refused() -> None:
    answer = get(site_of(Scene().recorder), "/api/trace?callid=x")
    assert (answer.responseCode, answer.text) == (400, "unknown parameter callid\n")


@pytest.mark.parametrize("form", sorted(EXPORTS))
def test_other_forms_come_in_portions_too(form: str) -> None:
    call, clock = standing_call(), Clock()
    call.change("6001", "sendonly")
    options(call.scene, PORTION)
    answer = get(site_of(call.scene.recorder, clock), f"/api/trace?format={form}&call-id=leg-b")
    turn(clock)
    assert b"".join(answer.written) == b"".join(EXPORTS[form][1](call.scene.records("leg-b")))
    assert (answer.content_type, answer.finished, clock.getDelayedCalls()) == (EXPORTS[form][0], 1, [])


@pytest.mark.parametrize("query", ["format=gif", "format=pcap&follow=1"])
def test_no_such_form(query: str) -> None:
    answer = get(site_of(Scene().recorder, Clock()), f"/api/trace?{query}")
    assert (answer.responseCode, answer.text.partition(" is one of")[0]) == (400, "format")


def test_few_may_gather_a_whole_trace_at_once_and_one_that_ends_or_goes_makes_room() -> None:
    call, clock = standing_call(), Clock()
    site = site_of(call.scene.recorder, clock)
    opened = [get(site, "/api/trace?format=svg") for _ in range(MAX_FOLLOWERS)]
    assert get(site, "/api/trace?format=svg").responseCode == 503
    assert get(site, "/api/trace").responseCode == 200, "NDJSON gathers nothing"
    opened[0].hang_up()
    assert get(site, "/api/trace?format=svg").responseCode == 200
    turn(clock)
    assert get(site, "/api/trace?format=svg").responseCode == 200


# ---- from the disk, and with other servers


def since(scene: Scene, answer: Any, query: str = "?since=5") -> tuple[FakeRequest, Clock, list[float]]:
    asked: list[float] = []

    def read(at: float) -> Any:
        asked.append(at)
        return answer

    clock = Clock()
    site = site_of(scene.recorder, clock=clock, kept=read)
    return get(site, f"/api/trace{query}"), clock, asked


def test_since_reads_the_disk_when_it_is_ready() -> None:
    on_disk, read = standing_call(), Future[Any]()
    answer, clock, asked = since(Scene(), read)
    turn(clock)
    assert answer.text == "" and asked == [5.0]
    read.set_result(on_disk.scene.recorder)
    turn(clock)
    assert records(answer) == on_disk.scene.records() and answer.finished


def test_a_disk_that_cannot_be_read_and_nothing_on_disk() -> None:
    read = Future[Any]()
    read.set_exception(OSError("disk I/O error"))
    answer, clock, _ = since(Scene(), read)
    turn(clock)
    assert answer.responseCode == 503 and answer.text == "the trace cannot be read: disk I/O error\n"
    assert get(site_of(Scene().recorder, clock=Clock()), "/api/trace?since=5").responseCode == 404
    for query in ("?since=x", "?since=-1", "?since=nan", "?since=5&follow=1", "?together=1"):
        assert since(Scene(), read, query)[0].responseCode == 400, query


def test_together_with_other_servers() -> None:
    class Others:
        def __init__(self) -> None:
            self.answer: Future[Together] = Future()
            self.asked: list[tuple[str, float]] = []

        def ask(self, criteria: Any, at: float) -> Future[Together]:
            self.asked.append((str(criteria), at))
            return self.answer

    others, clock, call = Others(), Clock(), standing_call()
    site = site_of(Scene().recorder, clock=clock, others=others)
    answer = get(site, "/api/trace?together=1&user=6001&format=ladder&since=7")
    turn(clock)
    assert answer.text == "" and others.asked == [("-u 6001", 7.0)]
    others.answer.set_result(Together(call.scene.records(), ["lab2: Connection refused"]))
    turn(clock)
    assert len(json.loads(answer.text)["messages"]) == len(call.scene.records())
    assert answer.responseHeaders.getRawHeaders(b"X-B2bua-Silent") == [b"lab2: Connection refused"]
    assert get(site, "/api/trace?together=1&follow=1").responseCode == 400
