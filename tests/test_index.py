"""tests/README.md leads from clauses to tests: each is there, and says itself which number it is about."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

TESTS: Final = Path(__file__).resolve().parent
INDEX: Final = (TESTS / "README.md").read_text(encoding="utf-8")
_ENTRY: Final = re.compile(r"^\[([a-z_/0-9]+\.py)\]\(\1\):$|^\| (.+?) \| `(test_\w+)` \|$|^## (.+)$", re.MULTILINE)

BUGS: Final = {
    "livekit/sip 779", "diago 125", "JsSIP 977", "JsSIP 612", "FreeSWITCH 1091", "pjsip 1181", "pjsip 3886",
    "linphone-android 2222", "SIP.js 774", "drachtio-server 190", "SIP.js 685", "OpenSIPS 380", "FreeSWITCH PR 3056",
    "FreeSWITCH 1141", "FreeSWITCH 1833", "mod_prometheus 10", "docker-freepbx 114", "livekit/sip 515",
}  # fmt: skip
ROWS: Final = range(1, 12)
"""Glare and failure around hold: 491 both ways, 500, what is retried, refusals, CANCEL, what wins, both at once, the same twice,
407, a restart."""
GLARE: Final = "Glare and failure around hold"
FIELD: Final = "Bugs of the field"
FLOWS: Final = {f"§2.{number}" for number in range(1, 6)} | {f"§3.{number}" for number in range(1, 12)}
REINVITES: Final = {"§3.3", "§3.5", "§3.8", *(f"§4.{number}" for number in range(3, 10))}
RACES: Final = {"§3.1.4", "§3.1.5", "§3.2.2", "§3.3.1", "§3.3.2"}


class Entry(NamedTuple):
    """One row: a clause of a section, and the test in this file."""

    section: str
    clause: str
    file: str
    name: str


def entries() -> list[Entry]:
    found, section, file = [], "", ""
    for match in _ENTRY.finditer(INDEX):
        file, section = match[1] or file, match[4] or section
        if match[3]:
            found.append(Entry(section, match[2], file, match[3]))
    return found


def clauses(section: str) -> set[str]:
    return {entry.clause for entry in entries() if entry.section == section}


def functions(file: str) -> set[str]:
    """The names of a file's tests."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def marked() -> set[tuple[str, str, str, str]]:
    """File, test, `row` or `bug`, and which, of each decorator that says so."""
    found = set()
    for path in TESTS.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "mark.row(" not in text and "mark.bug(" not in text:
            continue
        for node in ast.parse(text).body:
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                kind = mark.func.attr if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) else ""
                if isinstance(mark, ast.Call) and kind in ("row", "bug"):
                    [what] = mark.args
                    assert isinstance(what, ast.Constant), node.name
                    found.add((str(path.relative_to(TESTS)), node.name, kind, str(what.value)))
    return found


@pytest.mark.parametrize("file", sorted({entry.file for entry in entries()}))
def test_each_named_test_exists(file: str) -> None:
    there = functions(file)
    assert [entry.name for entry in entries() if entry.file == file and entry.name not in there] == []


def test_every_row_of_a_table_was_read() -> None:
    rows = [line for line in INDEX.splitlines() if line.startswith("| ") and not line.startswith("| Clause")]
    assert len(entries()) == len(rows) > 100


def test_every_row_and_every_bug_has_a_test_that_is_marked_with_it() -> None:
    marks = marked()
    assert {what for _, _, kind, what in marks if kind == "row"} == set(map(str, ROWS))
    assert {what for _, _, kind, what in marks if kind == "bug"} >= BUGS


def test_this_page_has_what_is_marked_and_no_more() -> None:
    rows = {(entry.file, entry.name, "row", entry.clause.split()[0]) for entry in entries() if entry.section == GLARE}
    bugs = {(entry.file, entry.name, "bug", entry.clause.partition(",")[0]) for entry in entries() if entry.section == FIELD}
    assert marked() == rows | bugs


def test_nothing_is_left_out() -> None:
    assert clauses("RFC 3665, call flows") == FLOWS
    assert clauses("RFC 5407, races") >= RACES
    assert {clause.split()[0] for clause in clauses(GLARE)} == set(map(str, ROWS))
    assert clauses("RFC 6141, re-INVITE and target refresh") >= REINVITES
