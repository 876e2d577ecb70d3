"""Traces from files: what is written in either form comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.trace.client import main
from b2bua.trace.http_client import TraceError
from b2bua.trace.rows import Rows
from b2bua.trace.saved import SavedTrace, _wire
from b2bua.trace.written import write_rows
from tests.trace.hand_made import first_line, standing_call

WRITTEN_ELSEWHERE = """### traceSM name_ip: 192.0.2.1->SM1;192.0.2.10->Phone1;192.0.2.20->CM;
com.avaya.asm  SIPMSGT\x20
--------------------
27/11/2026 16:20:31.250 -->\x20
\toctets: 812, Body Length: 0
\tingress: { L192.0.2.1:5061/R192.0.2.10:49152/TLS/0xa }
\tegress: [NO TARGET]
\tSIPMsgContext: [NONE]
--------------------
INVITE sip:6002@example.com SIP/2.0
Via: SIP/2.0/TLS 192.0.2.10:49152;branch=z9hG4bK1
From: <sip:6001@example.com>;tag=a
To: <sip:6002@example.com>
Call-ID: one
Av-Global-Session-ID: g-1
CSeq: 1 INVITE
Content-Length: 0

--------------------
com.avaya.asm  SIPMSGT\x20
--------------------
27/11/2026 16:20:31.251 <--\x20
\toctets: 812, Body Length: 0
\tingress: [NO TARGET]
\tegress: { L192.0.2.1:5061/R192.0.2.20:5061/TLS/0xb }
\tSIPMsgContext: [NONE]
--------------------
INVITE sip:6002@example.com SIP/2.0
Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK2
From: <sip:6001@example.com>;tag=a
To: <sip:6002@example.com>
Call-ID: two
Av-Global-Session-ID: g-1
CSeq: 1 INVITE
Content-Length: 0

--------------------
"""


@pytest.fixture
def held() -> Rows:
    call = standing_call()
    call.change("6001", "sendonly")
    rows = Rows()
    for record in call.scene.records():
        rows.take(record)
    return rows


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str], Path]:
    def save(text: str) -> Path:
        path = tmp_path / "saved"
        path.write_text(text, encoding="utf-8")
        return path

    return save


def test_records_come_back(held: Rows, saved: Callable[[str], Path]) -> None:
    records = [dict(row.record) for row in held.all]
    trace = SavedTrace(saved("\n".join(map(json.dumps, records)) + "\n"))
    assert trace.records == records
    assert [len(news.records) for news in trace.take()] == [len(records)] and trace.take() == []


def test_what_was_written_for_tracesm_comes_back(held: Rows, tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    write_rows(path, held.all)
    found = SavedTrace(path).records
    assert [record["message"] for record in found] == [row.record["message"] for row in held.all]
    assert [record["time"] for record in found] == [row.record["time"] for row in held.all]
    ways = {(record["source"] == "SM", record["destination"] == "SM") for record in found}
    assert ways == {(True, False), (False, True)}
    holds = [record for record in found if record.get("note", "").startswith("hold: audio sendrecv → sendonly")]
    assert [first_line(record) for record in holds] == ["INVITE"] * len(holds) and len(holds) >= 4


def test_a_file_from_elsewhere(saved: Callable[[str], Path]) -> None:
    first, second = SavedTrace(saved(WRITTEN_ELSEWHERE)).records
    assert (first["source"], first["destination"], first["transport"]) == ("Phone1", "SM", "tls")
    assert (second["source"], second["destination"]) == ("SM", "CM")
    assert first["call"] == second["call"] == "one", "one global session, one call"
    assert second["destination_address"] == "192.0.2.20:5061" and second["time"] - first["time"] == pytest.approx(0.001, abs=1e-5)


@pytest.mark.parametrize("text", ["", "hello\n", "### traceSM name_ip: \n"])
def test_no_trace_is_one_line(saved: Callable[[str], Path], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(text)
    assert main(file=str(path)) == 2
    assert capsys.readouterr().err.startswith(f"b2bua trace: {path}: neither records")


def test_a_broken_record_and_a_missing_file_are_one_line(
    held: Rows, saved: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(json.dumps(dict(held.all[0].record)) + "\n{}\n")
    with pytest.raises(TraceError, match="line 2 is no record"):
        SavedTrace(path)
    assert main(file="no/such") == 2
    assert capsys.readouterr().err == "b2bua trace: no/such: No such file or directory\n"


def test_it_is_shown_filtered(held: Rows, saved: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = saved("\n".join(json.dumps(dict(row.record)) for row in held.all))
    assert main(file=str(path), as_json=True, filter_words=["-ns"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 0 < len(lines) < len(held.all) and not any('"NOTIFY ' in line for line in lines)
    assert main(file=str(path)) == 0
    assert "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else" in capsys.readouterr().out


@given(st.sampled_from(["\n", "\r\n"]), st.lists(st.text("ab<", max_size=4), max_size=4))
def test_a_body_keeps_its_line_ends(end: str, lines: list[str]) -> None:
    body = "".join(line + end for line in lines)
    wire = f"INFO sip:a SIP/2.0\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    written = wire.replace("\r\n", "\n").removesuffix("\n")
    if body.replace("\r\n", "\n").strip("\n"):
        assert _wire(written) == wire.encode()
