"""What is found among call detail records: the newest that match, over files that were moved away, too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from b2bua.cdr.search import search

BEGIN = 1_793_275_200.0
"""2026-10-29T12:00:00Z."""


def line(number: int, caller: str = "6001", callee: str = "6002", **more: Any) -> str:
    """Of a call that ended so many minutes after the begin."""
    record = {
        "id": f"c{number}", "end": f"2026-10-29T12:{number:02}:00.500+00:00", "asked": f"sip:{callee}@example.com",
        "caller": {"party": f"sip:{caller}@example.com", "call_id": f"a{number}", "transport": "udp"},
        "callee": {"party": f"sip:{callee}@example.com", "call_id": f"b{number}", "transport": None},
        "reached": None, "forwardings": [], "transfers": [], "result": "answered",
    }  # fmt: skip
    return json.dumps(record | more, separators=(",", ":"))


def written(path: Path, *lines: str, tail: str = "") -> Path:
    path.write_text("".join(f"{one}\n" for one in lines) + tail)
    return path


def ids(path: Path, limit: int = 100, **wanted: Any) -> list[str]:
    return [json.loads(one)["id"] for one in search(path, limit, **wanted).lines]


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """Five calls in three files, the newest two in the one that is written."""
    written(tmp_path / "calls.jsonl.2", line(1))
    written(tmp_path / "calls.jsonl.1", line(2), line(3, "6003"))
    return written(tmp_path / "calls.jsonl", line(4), line(5, callee="6004"))


def test_all_of_them_as_they_stand_the_oldest_first(rotated: Path) -> None:
    found = search(rotated, 100)
    assert found.lines == [one.encode() for one in (line(1), line(2), line(3, "6003"), line(4), line(5, callee="6004"))]
    assert not found.more


def test_the_newest_when_there_are_more(rotated: Path) -> None:
    assert (ids(rotated, 3), search(rotated, 3).more) == (["c3", "c4", "c5"], True)
    assert (ids(rotated, 5), search(rotated, 5).more) == (["c1", "c2", "c3", "c4", "c5"], False)
    assert (ids(rotated, 1, user="6003"), search(rotated, 1, user="6003").more) == (["c3"], False)


def test_by_time(rotated: Path) -> None:
    assert ids(rotated, since=BEGIN + 3 * 60 + 0.5) == ["c3", "c4", "c5"]
    assert ids(rotated, since=BEGIN + 3 * 60 + 0.6) == ["c4", "c5"]
    assert ids(rotated, since=BEGIN + 3600) == []
    assert ids(rotated, since=-1e300) == ["c1", "c2", "c3", "c4", "c5"]


def test_a_file_that_was_written_last_before_that_time_is_not_read(rotated: Path) -> None:
    old = rotated.with_name("calls.jsonl.1")
    os.utime(old, (BEGIN, BEGIN))
    assert ids(rotated, since=BEGIN + 1.1) == ["c1", "c4", "c5"]
    assert ids(rotated, since=BEGIN) == ["c1", "c2", "c3", "c4", "c5"]


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("6001", ["c1", "c2", "c4", "c5"]), ("6004", ["c5"]), ("sip:6003@example.com", ["c3"]), ("600", []),
        ("6003@example.com", []),
    ],
)
def test_by_user(rotated: Path, user: str, found: list[str]) -> None:
    assert ids(rotated, user=user) == found


@pytest.mark.parametrize("more", [
    {"reached": "sip:6009@example.com"}, {"asked": "sip:6009;phone-context=x@example.com"}, {"asked": "tel:6009"},
    {"forwardings": [{"time": "", "by": "sip:6009@example.com", "to": [], "cause": 486}]},
    {"forwardings": [{"time": "", "by": "sip:6002@example.com", "to": ["sip:6008@x", "sips:6009@x"], "cause": 486}]},
    {"transfers": [{"time": "", "leaves": "sip:6009@example.com", "comes": "sip:6008@example.com"}]},
    {"transfers": [{"time": "", "leaves": "sip:6008@example.com", "comes": "sip:6009@example.com"}]},
])  # fmt: skip
def test_whoever_had_to_do_with_the_call_counts(tmp_path: Path, more: dict[str, Any]) -> None:
    path = written(tmp_path / "calls.jsonl", line(1), line(2, **more))
    assert ids(path, user="6009") == ["c2"]


@pytest.mark.parametrize("name", ["c3", "a3", "b3"])
def test_by_call(rotated: Path, name: str) -> None:
    assert ids(rotated, call=name) == ["c3"]


def test_a_line_that_is_being_written_or_is_no_record_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    written(path, line(1), "", "{}", "null", "\x00\x00", line(2, end="yesterday"), line(3), tail=line(4))
    assert ids(path) == ["c1", "c2", "c3"]
    assert ids(path, since=BEGIN) == ["c1", "c3"]


def test_no_more_than_so_much_is_read(rotated: Path) -> None:
    """Twice a line and a half: the whole ones of the newest file, then of the one before it."""
    length = len(line(4)) + 1
    found = search(rotated, 100, most=length * 3 // 2)
    assert (found.lines, found.more) == ([line(5, callee="6004").encode()], True)
    found = search(rotated, 100, most=rotated.stat().st_size + length * 3 // 2)
    assert ([json.loads(one)["id"] for one in found.lines], found.more) == (["c3", "c4", "c5"], True)
    assert search(rotated, 100, most=rotated.stat().st_size).more


def test_moved_away_and_not_yet_opened_anew(rotated: Path) -> None:
    rotated.unlink()
    assert ids(rotated) == ["c1", "c2", "c3"]


def test_a_file_under_two_names_counts_once(rotated: Path) -> None:
    """As it is found when it is moved between two looks."""
    rotated.with_name("calls.jsonl.3").hardlink_to(rotated)
    assert ids(rotated) == ["c1", "c2", "c3", "c4", "c5"]


def test_nothing_there_is_nothing_found_and_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert search(tmp_path / "calls.jsonl", 1) == ([], False)
    (tmp_path / "calls.jsonl").mkdir()
    with pytest.raises(OSError, match="directory"):
        search(tmp_path / "calls.jsonl", 1)
