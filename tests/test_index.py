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


def functions(file: str) -> dict[str, str]:
    """Name → docstring of each test of a file."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name: ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("file", sorted({entry.file for entry in entries()}))
def test_each_named_test_exists(file: str) -> None:
    there = functions(file)
    assert [entry.name for entry in entries() if entry.file == file and entry.name not in there] == []


def test_every_row_of_a_table_was_read() -> None:
    rows = [line for line in INDEX.splitlines() if line.startswith("| ") and not line.startswith("| Clause")]
    assert len(entries()) == len(rows) > 100


def test_every_bug_of_the_field_is_named_in_its_test() -> None:
    section = [entry for entry in entries() if entry.section == "Bugs of the field"]
    assert {entry.clause for entry in section} >= BUGS
    for entry in section:
        text = f"{entry.name} {functions(entry.file)[entry.name]}"
        for number in re.findall(r"\d+", entry.clause):
            assert number in re.findall(r"\d+", text), entry


def test_nothing_is_left_out() -> None:
    assert clauses("RFC 3665, call flows") == FLOWS
    assert clauses("RFC 5407, races") >= RACES
    assert {clause.split()[0] for clause in clauses("Glare and failure around hold")} == {str(row) for row in range(1, 12)}
    assert clauses("RFC 6141, re-INVITE and target refresh") >= REINVITES
