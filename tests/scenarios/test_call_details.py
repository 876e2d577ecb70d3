"""Call detail records: what they say of each kind of call, and that each call has one, whatever dies when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2bua.store.call_detail import DETAIL
from b2bua.store.call_detail_line import CallDetailLine, line_schema
from tests.scenarios.forwarded_call import answers, at, has_set
from tests.scenarios.kept_lines import KeptLines
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, hold, invite, is_gone, resume, talk
from tests.scenarios.test_blind_transfer import target_answers, target_rings
from tests.scenarios.transfer_scene import aor, refer

SCHEMA = Path(__file__).resolve().parents[2] / "deploy" / "cdr.schema.json"


@pytest.fixture
def lines() -> KeptLines:
    return KeptLines()


@pytest.fixture
def scene(make_scene: MakeScene, lines: KeptLines) -> Scene:
    return make_scene(details=lines, features=("forwarding", "hold", "lamps", "transfer"))


@pytest.fixture
def lasting(lines: KeptLines) -> Iterator[Scene]:
    """Its calls and its file outlive it."""
    made = Scene(Options(records=KeptRecords(), details=lines))
    yield made
    made.quiet()


def the_line(lines: KeptLines) -> CallDetailLine:
    [line] = lines.lines()
    return line


def test_the_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == line_schema()


def test_a_held_call(scene: Scene, lines: KeptLines) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    scene.advance(10)
    hold(a, b)
    scene.advance(5)
    resume(a, b)
    scene.advance(4)
    hold(b, a)
    scene.advance(2)
    assert lines.texts == []
    hang_up(b, a)
    line = the_line(lines)
    assert (line.caller.party, line.callee.party, line.asked, line.reached) == (
        "sip:6001@example.com", "sip:6002@example.com", "sip:6002@example.com", "sip:6002@example.com",
    )  # fmt: skip
    assert (line.caller.call_id, line.callee.call_id) == (a.call_id, b.call_id)
    assert (line.holds, round(line.hold_seconds), round(line.talk_seconds)) == (2, 7, 21)
    assert line.ring is not None and line.answer is not None and line.setup <= line.ring <= line.answer < line.end
    assert line.end.endswith("+00:00") and len(line.end) == len("2026-11-29T15:04:05.123+00:00")
    assert (line.result, line.status, line.ended_by, line.reasons, line.q850) == ("answered", 200, "callee", [], None)
    assert (line.caller.codecs, line.caller.transport, line.callee.transport) == (line.callee.codecs, "udp", "udp")
    assert line.caller.codecs and line.node == "cm@lab" and line.serves == ""
    assert not line.forwardings and not line.transfers and line.continued_in is None


def test_why_it_ended(scene: Scene, lines: KeptLines) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    a.phone >> a.request("BYE", "", 'Reason: SIP;cause=200;text="x"', 'Reason: Q.850;text="Normal; clearing";cause=16')
    a.phone << "200 BYE"
    b.phone >> b.answer(b.phone << "BYE", 200)
    line = the_line(lines)
    assert (line.ended_by, line.q850, len(line.reasons)) == ("caller", 16, 2)


def test_busy(scene: Scene, lines: KeptLines) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    scene.advance(3)
    bob >> b.answer(arrived, 486, "", "Reason: Q.850;cause=17")
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    line = the_line(lines)
    assert (line.result, line.status, line.ended_by, line.q850) == ("busy", 486, "callee", 17)
    assert (line.reached, line.answer, line.ring, line.talk_seconds, line.callee.transport) == (None, None, None, 0, None)
    assert round(line.setup_seconds) == 3


def test_given_up(scene: Scene, lines: KeptLines) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    cancel = bob << "CANCEL"
    bob >> b.answer(cancel, 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    line = the_line(lines)
    assert (line.result, line.status, line.ended_by) == ("cancelled", 487, "caller") and line.ring is not None


def test_forwarded(scene: Scene, lines: KeptLines) -> None:
    alice, _, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    has_set(scene, "6002", forward_always="6003")
    a = called(alice, "sip:6002@example.com")
    alice << "181 INVITE"
    c, arrived = at(carol)
    answers(a, c, arrived)
    hang_up(a, c)
    line = the_line(lines)
    assert (line.asked, line.reached, line.callee.call_id) == ("sip:6002@example.com", "sip:6003@example.com", c.call_id)
    [forwarding] = line.forwardings
    assert (forwarding.by, forwarding.to, forwarding.cause) == ("sip:6002@example.com", ["sip:6003@example.com"], 181)


def test_transferred(scene: Scene, lines: KeptLines) -> None:
    """Two records: the call that goes on with another party, and the one that this party came in."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    scene.phone("6003")
    hold(a, b)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    target_answers(c, arrived, b)
    is_gone(a)
    scene.advance(3)
    second = the_line(lines)
    hang_up(b, c)
    first = lines.lines()[-1]
    assert second.continued_in == first.id and (second.caller.party, second.reached) == (b.phone.aor, c.phone.aor)
    assert [(one.leaves, one.comes) for one in first.transfers] == [(a.phone.aor, c.phone.aor)]
    assert (first.caller.party, first.result, first.holds, len(lines.texts)) == (a.phone.aor, "answered", 1, 2)


def test_none_where_none_is_wanted(scene: Scene, lines: KeptLines) -> None:
    """Switched off by a reload: not for calls that stand either."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    lines.on = False
    hang_up(a, b)
    c, d = talk(a.phone, b.phone)
    lines.on = True
    hang_up(c, d)
    assert lines.texts == []


# ---- one for each call, whatever dies


def kept(scene: Scene) -> set[str]:
    """Kinds of records that are left."""
    assert scene.server.records is not None
    return {kind for kind, _ in scene.server.records.kept} & {DETAIL, "call"}


def test_a_call_that_survives_has_one_with_all_that_was_before(lasting: Scene, lines: KeptLines) -> None:
    a, b = talk(lasting.phone("6001"), lasting.phone("6002"))
    lasting.advance(10)
    hold(a, b)
    lasting.advance(5)
    lasting.restart()
    lasting.advance(5)
    resume(a, b)
    lasting.advance(2)
    lasting.restart()
    hang_up(a, b)
    line = the_line(lines)
    assert (line.holds, round(line.hold_seconds), round(line.talk_seconds)) == (1, 10, 22)
    assert (line.caller.call_id, line.ended_by, line.result) == (a.call_id, "caller", "answered") and line.caller.codecs
    lasting.advance(40)
    assert kept(lasting) == set()


@pytest.mark.parametrize("deaf", [False, True], ids=["not written", "written"])
@pytest.mark.parametrize("answered", [False, True], ids=["BYE unanswered", "BYE answered"])
def test_death_at_the_end(lasting: Scene, lines: KeptLines, deaf: bool, answered: bool) -> None:
    """Before or after the file has the line, before or after the other phone has said that it is over."""
    a, b = talk(lasting.phone("6001"), lasting.phone("6002"))
    lasting.advance(10)
    lines.deaf, lines.slow = deaf, not deaf
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    bye = b.phone << "BYE"
    if answered:
        b.phone >> b.answer(bye, 200)
    assert len(lines.texts) == (1 if deaf else 0) and DETAIL in kept(lasting)
    lasting.restart()
    if not answered:
        b.phone >> b.answer(b.phone << "BYE", 200)
    lasting.advance(40)
    line = the_line(lines)
    assert (line.result, line.ended_by) == ("answered", "caller") and round(line.talk_seconds) == 10
    assert kept(lasting) == set()
    lasting.restart()
    lasting.advance(1)
    assert len(lines.texts) == 1


def test_a_file_that_takes_nothing_holds_no_call_up(lasting: Scene, lines: KeptLines) -> None:
    lines.slow = True
    for _ in range(3):
        a, b = talk(*(lasting.phones or [lasting.phone("6001"), lasting.phone("6002")]))
        hang_up(a, b)
    lasting.advance(40)
    assert lines.texts == [] and kept(lasting) == {DETAIL}
    lines.slow = False
    lasting.advance(1)
    assert len({line.id for line in lines.lines()}) == 3 and kept(lasting) == set()


def test_a_store_that_takes_nothing_loses_no_line(lasting: Scene, lines: KeptLines) -> None:
    a, b = talk(lasting.phone("6001"), lasting.phone("6002"))
    assert lasting.server.records is not None
    lasting.server.records.failing = True
    hang_up(a, b)
    lasting.advance(2)
    assert len(lines.texts) == 1
    lasting.server.records.failing = False
    lasting.advance(40)
    assert len(lines.texts) == 1 and kept(lasting) == set()
