"""Rows: retransmissions fold, challenge rounds are bracketed, the oldest go; what is drawn, listed and written of them."""

from __future__ import annotations

import re
import stat
from datetime import datetime
from pathlib import Path

import pytest

from b2bua.sip.response_to import response_to
from b2bua.trace.columns import MAX_COLUMNS, OTHERS, Columns
from b2bua.trace.overview import call_lines, summary
from b2bua.trace.rows import Rows
from b2bua.trace.written import shown_message, text, tracesm, write_rows
from tests.trace.hand_made import Scene, TwoLegs, first_line, request, sdp, standing_call


def rows_of(scene: Scene, limit: int = 1_000) -> Rows:
    rows = Rows(limit)
    for record in scene.records():
        rows.take(record)
        rows.trim()
    return rows


def held_call() -> TwoLegs:
    call = standing_call()
    call.change("6001", "sendonly")
    return call


def repeated(times: int) -> Scene:
    scene = Scene()
    made = request("INVITE", "6001", "6002", "c", 1, body=sdp("sendrecv"))
    for _ in range(times):
        scene.up("6001", made)
    return scene


# ---- rows


def test_retransmissions_fold_into_the_first_copy() -> None:
    rows = rows_of(repeated(4))
    (row,) = rows.all
    assert (rows.received, row.copies) == (4, [1000.5, 1000.75, 1001.0])
    columns = Columns()
    columns.seat(row)
    columns.fit(120)
    assert " INVITE sdp:sendrecv ×4 " in columns.draw(row).text


def test_a_copy_whose_first_is_gone_is_a_row_of_its_own() -> None:
    rows, records = Rows(), repeated(2).records()
    rows.take(records[0])
    rows.clear()
    row = rows.take(records[1])
    assert row is not None and rows.all == [row]


def test_a_challenge_round_is_bracketed() -> None:
    rows = rows_of(held_call().scene)
    marked = [(row.bracket, first_line(dict(row.record))) for row in rows.all if row.bracket]
    assert marked == [
        ("┌", "INVITE"), ("│", "407"), ("└", "INVITE"),
        ("┌", "INVITE"), ("│", "407"), ("│", "ACK"), ("└", "INVITE"),
    ]  # fmt: skip


def test_the_oldest_go() -> None:
    scene = Scene()
    for number in range(50):
        made = request("OPTIONS", "6001", "6002", f"c{number}", 1)
        scene.up("6001", made)
        scene.down("6001", response_to(made, 200))
    rows = rows_of(scene, limit=20)
    assert 20 <= len(rows.all) <= 22
    assert len(rows._first) == len(rows.all) and len(rows._requests) <= len(rows.all)
    assert (rows.all[-1].number, rows.received) == (100, 100)


# ---- columns


def test_columns_fit_and_the_ladder_grows_where_it_cannot() -> None:
    rows = rows_of(held_call().scene)
    for width in (40, 60, 70, 80, 132, 250):
        columns = Columns()
        for row in rows.all:
            columns.seat(row)
        needed = columns.fit(width)
        assert needed >= width and (needed == width or width < 67)
        lines = [columns.draw(row) for row in rows.all]
        assert all(len(line.text) <= needed for line in lines) and len(columns.head(False)) <= needed
        assert all(line.text[line.start - 1] == "│" == line.text[line.end] for line in lines)


def test_callers_and_called_stand_before_watchers() -> None:
    scene, columns = Scene(), Columns()
    scene.up("6003", request("SUBSCRIBE", "6003", "6001", "s", 1))
    scene.up("6001", request("INVITE", "6001", "6002", "c", 1))
    scene.down("6002", request("INVITE", "6001", "6002", "d", 1))
    for row in rows_of(scene).all:
        columns.seat(row)
    columns.fit(120)
    assert columns.head(False).split() == ["6001", "SM", "CM", "6002", "6003"]


def test_names_or_addresses() -> None:
    rows = rows_of(held_call().scene)
    columns = Columns()
    for row in rows.all:
        columns.seat(row)
    columns.fit(160)
    assert columns.head(False).split() == ["6001", "SM", "CM", "6002", "6003"]
    assert columns.head(True).split() == ["192.0.2.1:5061", "192.0.2.9", "CM", "192.0.2.1:5062", "192.0.2.1:5063"]
    columns.fit(70)
    assert "…" in columns.head(True)


def test_more_users_than_columns_share_the_last() -> None:
    scene, columns = Scene(), Columns()
    for number in range(2 * MAX_COLUMNS):
        scene.phone(f"7{number:03}", ("192.0.2.7", 6000 + number))
        scene.up(f"7{number:03}", request("REGISTER", f"7{number:03}", "x", f"r{number}", 1))
    rows = rows_of(scene)
    for row in rows.all:
        columns.seat(row)
    columns.fit(100)
    assert len(columns.head(False).split()) == MAX_COLUMNS and columns.head(False).endswith(OTHERS)
    assert columns.draw(rows.all[-1]).end > columns.draw(rows.all[0]).end


# ---- calls and counts


def test_the_calls_of_a_view() -> None:
    call = held_call()
    call.scene.up("6003", request("INVITE", "6003", "6009", "lonely", 1))
    refused = request("INVITE", "6002", "6009", "gone", 1)
    call.scene.up("6002", refused)
    call.scene.down("6002", response_to(refused, 404, tag="x"))
    lines = call_lines(rows_of(call.scene).all)
    assert [(line.caller, line.callee, line.state, line.holds) for line in lines] == [
        ("6001", "6002", "held", 1), ("6003", "6009", "trying", 0), ("6002", "6009", "failed 404", 0),
    ]  # fmt: skip
    call.change("6001", "sendrecv", lamp="yes", version=3)
    call.scene.up("6001", call.from_phone("BYE", "6001"))
    (first, *_) = call_lines(rows_of(call.scene).all)
    assert first.state == "ended" and "6001 → 6002" in str(first)


def test_the_summary() -> None:
    found = "\n".join(summary(rows_of(held_call().scene).all))
    assert "calls: 1 (held 1)" in found and "INVITE 10" in found and "INVITE: 200 8, 407 2" in found
    assert "messages with something wrong: 4" in found and "RFC 8866 §5.2" in found  # the far side keeps its version
    assert summary([]) == ["nothing yet"]


# ---- files


def test_our_own_form_has_the_ladder_and_the_messages(tmp_path: Path) -> None:
    rows = rows_of(held_call().scene)
    rows.gap("12:00:00 the server is gone")
    path = tmp_path / "trace.txt"
    write_rows(path, rows.all)
    written = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "hold: audio sendrecv → sendonly" in written and "-- 12:00:00 the server is gone --" in written
    assert written.count("\nINVITE sip:") == 10 and "response=\"***\"" in written
    with pytest.raises(FileExistsError):
        write_rows(path, rows.all)


def test_the_form_of_tracesm_to_the_blank() -> None:
    scene = repeated(2)
    scene.down("6001", response_to(request("INVITE", "6001", "6002", "c", 1), 100))
    lines = "\n".join(tracesm(rows_of(scene).all)).split("\n")
    stamps = [datetime.fromtimestamp(time).strftime("%d/%m/%Y %H:%M:%S.%f")[:-3] for time in (1000.25, 1000.5, 1000.75)]
    length = len(str(request("INVITE", "6001", "6002", "c", 1, body=sdp("sendrecv"))))
    assert lines[:10] == [
        "### traceSM name_ip: 192.0.2.1->6001;0.0.0.0->SM;",
        "com.avaya.asm  SIPMSGT ",
        "--------------------",
        f"{stamps[0]} --> ",
        f"\toctets: {length}, Body Length: {len(sdp('sendrecv'))}",
        "\tingress: { L0.0.0.0:0/R192.0.2.1:5061/UDP/0xa }",
        "\tegress: [NO TARGET]",
        "\tSIPMsgContext: [NONE]",
        "--------------------",
        "INVITE sip:6002@example.com SIP/2.0",
    ]
    assert [line for line in lines if line.endswith(("> ", "<-- "))] == [
        f"{stamps[0]} --> ", f"{stamps[1]} --> ", f"{stamps[2]} <-- ",
    ]  # fmt: skip
    assert lines[-1] == "--------------------" and "\tegress: { L0.0.0.0:0/R192.0.2.1:5061/UDP/0xa }" in lines


def test_the_link_has_addresses_of_its_own_in_the_form_of_tracesm() -> None:
    lines = "\n".join(tracesm(rows_of(held_call().scene).all)).split("\n")
    assert "0.0.0.1->CM;" in lines[0]
    ends = {line.strip() for line in lines if "/MEMORY/" in line}
    assert len(ends) == 2 and all(re.search(r"L[0-9.]+:\d+/R0\.0\.0\.1:0/MEMORY", end) for end in ends)


def test_what_a_terminal_would_obey_is_shown_harmless(tmp_path: Path) -> None:
    scene = Scene()
    scene.up("6001", request("OPTIONS", "6001", "6002", "c", 1, ("Subject", "\x1b[2J\u202egone")))
    evil = response_to(request("OPTIONS", "6001", "6002", "d", 1), 200)
    evil.reason = "\x1b]0;x\x07"
    scene.up("6001", evil)
    rows = rows_of(scene)
    shown = "\n".join([*shown_message(rows.all[0]), *shown_message(rows.all[1]), *text(rows.all)])
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
