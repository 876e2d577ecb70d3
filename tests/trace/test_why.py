"""Decisions on their way to whoever reads the trace: JSON, details, HTML, the console, `b2bua explain`; and files of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from b2bua.sip.message import Request
from b2bua.sip.response_to import response_to
from b2bua.sip.why import MOST, Why, decisions
from b2bua.trace.console_forms import CONSOLE_FORMS
from b2bua.trace.explained import main
from b2bua.trace.exports import EXPORTS
from b2bua.trace.feed import read_record
from b2bua.trace.http_client import TraceError
from b2bua.trace.recorder import Recorder
from b2bua.trace.rows import Rows
from b2bua.trace.written import facts_of
from tests.trace.hand_made import Scene, request

SENTENCE = "routing: <b> is no user of the domain"


def refused() -> Scene:
    scene = Scene()
    invite = request("INVITE", "6001", "6002", "c", 1)
    scene.up("6001", invite)
    answer = response_to(invite, 404, tag="x")
    answer.why = ((None, "digest: right, of {}", "6001"), "routing: {} is no user of the domain", "<b>")
    scene.down("6001", answer)
    scene.up("6001", request("ACK", "6001", "6002", "c", 1, tags=("", "x")))
    return scene


def test_oldest_first_and_bounded() -> None:
    why: Why = (None, "a: {} {}", 1, "x")
    assert decisions(None) == []
    assert decisions((why, "b: plain {}", "{}")) == ["a: 1 x", "b: plain {}"]
    for _ in range(MOST * 2):
        why = (why, "c: more")
    assert len(decisions(why)) == MOST


def test_a_copy_has_no_reason_of_its_own() -> None:
    made = request("INVITE", "6001", "6002", "c", 1)
    made.why = (None, "a: b")
    assert made.copy().why is None and made.forwarded("sip:x@example.com", 1).why is None
    assert response_to(made, 100).why is None and Request("OPTIONS", "sip:x", [], []).why is None


def test_every_view_has_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = refused().records()
    assert records[1]["decisions"] == ["digest: right, of 6001", SENTENCE]
    assert "decisions" not in records[0]
    rows = Rows()
    for record in records:
        rows.take(record)
    assert facts_of(rows.all[1])[-2:] == ["why: digest: right, of 6001", f"why: {SENTENCE}"]
    page = b"".join(EXPORTS["html"][1](records)).decode()
    assert "why: routing: &lt;b&gt; is no user of the domain" in page and "<b>" not in page.replace("<br>", "")
    ladder = json.loads(b"".join(CONSOLE_FORMS["ladder"][1](records)))
    assert f"why: {SENTENCE}" in ladder["messages"]["2"]["facts"]
    assert SENTENCE in b"".join(EXPORTS["text"][1](records)).decode()
    file = tmp_path / "trace.json"
    file.write_bytes(b"".join(EXPORTS["json"][1](records)))
    assert main(str(file)) == 1
    said = capsys.readouterr().out
    assert f"because digest: right, of 6001, then {SENTENCE}" in said and f"why: #2 SIP/2.0 404 Not Found: {SENTENCE}" in said


def test_what_became_of_an_earlier_message_is_told_with_it() -> None:
    scene = refused()
    first = scene.recorder.entries()[0][4]
    scene.recorder.concerning(first, (None, "timer H: given up"))
    scene.recorder.concerning(b"", (None, "dropped: {}", "malformed"))
    told = [record.get("decisions") for record in scene.records()]
    assert told == [["timer H: given up"], ["digest: right, of 6001", SENTENCE], ["dropped: malformed"]]


def test_a_trace_that_is_off_or_empty_takes_nothing() -> None:
    for size in (0, 5):
        recorder = Recorder(size, lambda: 1.0)
        recorder.concerning(b"", (None, "dropped: x"))
        assert not recorder.entries()


def test_decisions_of_a_file_are_a_list() -> None:
    record = refused().records()[1]
    assert read_record(json.dumps(record))["decisions"] == record["decisions"]
    with pytest.raises(TraceError):
        read_record(json.dumps(record | {"decisions": "no list"}))
