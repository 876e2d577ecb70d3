"""The text ladder."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant
from b2bua.trace.ladder import MAX_COLUMNS, Ladder, clock, labels, lamp
from b2bua.trace.rows import Rows
from tests.trace.hand_made import TwoLegs, document, first_line, request, sdp, standing_call


def drawn(call: TwoLegs, width: int = 110, **filters: str) -> list[str]:
    ladder = Ladder(width)
    return [line for record in call.scene.records(**filters) for line in ladder.feed(record)]


def record(source: str, destination: str, message: str = "", **more: Any) -> dict[str, Any]:
    message = message or str(request("OPTIONS", "a", "b", "c", 1))
    return {"time": 1.0, "source": source, "destination": destination, "call": None, "retransmission": False,
            "message": message, **more}  # fmt: skip


def test_a_hold_reads_as_the_nine_steps() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    lines = drawn(call)
    assert max(map(len, lines)) <= 110
    numbered = [line for line in lines if "(" in line and line[15:18].strip("() ").isdigit()]
    wanted = [
        ("(1)", "INVITE sdp:sendonly", ">"), ("(2)", "407 INVITE", "<"), ("(3)", "INVITE sdp:sendonly", ">"),
        ("(4)", "INVITE sdp:sendonly", ">"), ("(5)", "6001 lamp: hold", "<"), ("(5)", "6002 lamp: held", "<"),
        ("(6)", "INVITE sdp:sendonly", "<"), ("(7)", "6001 lamp: hold", ">"), ("(8)", "INVITE sdp:sendonly", ">"),
        ("(9)", "200 OK sdp:recvonly", "<"),
    ]  # fmt: skip
    assert len(numbered) == len(wanted)
    for line, (step, label, head) in zip(numbered, wanted, strict=True):
        assert step in line and head in line, line
        assert label in line or label.replace("sdp:", "") in line or label.split(": ")[-1] in line, line


def test_four_columns_in_the_order_of_the_call() -> None:
    lines = drawn(standing_call(), call_id="leg-b")
    heads = [line.split() for line in lines if "SM" in line]
    assert heads == [["6001", "SM", "CM"], ["6001", "SM", "CM", "6002"]]


@pytest.mark.parametrize(("width", "longest"), [(40, 80), (90, 90), (200, 110)])
def test_width_has_bounds(width: int, longest: int) -> None:
    call = standing_call()
    call.change("6002", "sendonly")
    lines = drawn(call, width)
    assert max(map(len, lines)) <= longest


def test_one_arrow_exactly() -> None:
    ladder = Ladder(80)
    blank, head, arrow = ladder.feed(record("6001", "SM", step=1, call="x"))
    assert (blank, head.split(), head.index("CM")) == ("", ["6001", "SM", "CM"], 70)
    assert arrow == f"{clock(1.0)} A (1)     |------- OPTIONS ------>|                       |"
    (back,) = ladder.feed(record("SM", "6001", retransmission=True, time=2.5))
    assert back == f"{clock(2.5)}           |<... again OPTIONS ....|                       |"


def test_a_note_stands_below_its_arrow_and_a_round_has_its_bracket() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    lines = drawn(call, 80)
    challenged = next(index for index, line in enumerate(lines) if "(2)│" in line)
    assert lines[challenged - 1].strip() == "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else"
    assert "(3)└" in "".join(lines[challenged:])
    long = next(index for index, line in enumerate(lines) if "wrong: " in line)
    assert lines[long + 1].startswith(" " * 18), "a long note goes on in the next line"


def test_of_what_has_ended_copies_are_counted_and_rounds_bracketed_from_the_first() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    rows, ladder = Rows(), Ladder(110)
    records = list(call.scene.records())
    asked = next(one for one in records if one.get("step") == 1)
    copies = [asked | {"retransmission": True, "time": asked["time"] + later} for later in (0.5, 1.5)]
    for one in (*records, *copies):
        rows.take(one)
    lines = [line for row in rows.all for line in ladder.feed_row(row)]
    [first] = [line for line in lines if "(1)" in line]
    assert "(1)┌" in first and "INVITE" in first and "×3" in first
    signs = [sign for line in lines for sign in "┌│└" if sign in line[:20]]
    assert signs.count("┌") == signs.count("└") == 2 and signs[0] == "┌", "of the call and of the hold"
    assert not any("again INVITE" in line for line in lines)
    live = [line for one in (*records, *copies) for line in Ladder(110).feed(one)]
    assert not any("┌" in line or "×" in line for line in live) and sum("again INVITE" in line for line in live) == 2


def test_addresses_above_the_lines() -> None:
    ladder = Ladder(80, addresses=True)
    at = {"source_address": "192.0.2.10:5060", "destination_address": "192.0.2.1:5060"}
    _, head, _ = ladder.feed(record("6001", "SM", **at))
    assert head.split() == ["192.0.2.10:5060", "192.0.2.1:5060", "CM"]
    assert len(ladder.feed(record("6001", "SM", **at))) == 1, "the same head is not drawn again"
    _, moved, _ = ladder.feed(record("6001", "SM", **at | {"source_address": "192.0.2.10:6060"}))
    assert moved.split()[0] == "192.0.2.10:6060"
    for user in ("6002", "6003"):
        _, head, _ = ladder.feed(record("SM", user, destination_address="[2001:db8:ffff:ffff:ffff:ffff:ffff:11]:5060"))
    assert head.split()[-2:] == ["…f:11]:5060"] * 2 and len(head) <= 80, "the ends of long ones differ"


def test_what_a_terminal_would_obey_is_no_label() -> None:
    (*_, arrow) = Ladder().feed(record("6001", "SM", "SIP/2.0 200 \x1b[2J\r\nCSeq: 1 BYE\r\n\r\n"))
    assert "200 ?[2J (BYE)" in arrow


def test_columns_are_bounded() -> None:
    ladder = Ladder()
    for number in range(MAX_COLUMNS + 3):
        ladder.feed(record(f"60{number:02}", "SM", time=float(number)))
    names = ladder.head().split()
    assert len(names) == MAX_COLUMNS
    assert {"SM", "CM", "6008"} <= set(names)


def message(method: str, body: bytes = b"", kind: str = "application/sdp", *headers: tuple[str, str]) -> str:
    return str(request(method, "6001", "6002", "c", 1, *headers, body=body, body_type=kind))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (message("INVITE", sdp("sendonly")), "INVITE sdp:sendonly"),
        (message("INVITE", sdp("sendrecv").replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0")), "INVITE sdp:0.0.0.0"),
        (message("ACK"), "ACK"),
        (message("PUBLISH", document("6001", "c", local="no"), "x/y"), "PUBLISH 6001 lamp: hold"),
        (message("NOTIFY", document("6001", "c", remote="no"), "x/y"), "NOTIFY 6001 lamp: held"),
        (message("NOTIFY", document("6001", "c", local="yes"), "x/y"), "NOTIFY 6001 lamp: confirmed"),
        (message("NOTIFY", b"<broken", "x/y"), "NOTIFY"),
        (message("NOTIFY", b"Messages-Waiting: yes", "x/y", ("Event", "message-summary")), "NOTIFY message-summary"),
        (message("NOTIFY", b"--b", "x/y", ("Event", "dialog;id=7")), "NOTIFY dialog"),
        (message("PUBLISH", b"", "", ("Expires", "0")), "PUBLISH expires 0"),
        ("SIP/2.0 200 OK\r\nCSeq: 4 BYE\r\n\r\n", "200 OK (BYE)"),
        ("SIP/2.0 180 Ringing\r\nCSeq: 4 INVITE\r\n\r\n", "180 Ringing"),
        ("nonsense", "not SIP"),
        ("", "not SIP"),
    ],
)
def test_labels(text: str, label: str) -> None:
    assert labels(text)[0] == label


def test_whose_lamp_it_is_stays_on_the_arrow_as_long_as_there_is_room() -> None:
    fitting = labels(message("PUBLISH", document("6001", "c", local="yes"), "x/y"))
    assert fitting[1:3] == ["PUBLISH 6001 confirmed", "PUBLISH confirmed"]


def test_lamps() -> None:
    def shown(*states: str) -> str:
        side = Participant("sip:a", "sip:a")
        dialogs = tuple(DialogState(str(number), state, local=side) for number, state in enumerate(states))
        return lamp(DialogInfo("sip:a@b", dialogs))

    assert [shown("terminated"), shown(), shown("early"), shown("trying", "confirmed"), shown("proceeding")] == [
        "idle", "idle", "early", "confirmed", "proceeding",
    ]  # fmt: skip


def test_redacted_body_still_shows_its_direction() -> None:
    call = standing_call()
    call.scene.up("6001", call.from_phone("INVITE", "6001", body=sdp("sendonly", 2, key="a" * 40)))
    last = call.scene.records()[-1]
    assert first_line(last) == "INVITE" and "inline:***" in last["message"]
    assert labels(last["message"])[0] == "INVITE sdp:sendonly"
