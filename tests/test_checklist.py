"""tests/CHECKLIST.md: every clause has a test that exists, and what is open is said to be."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

TESTS: Final = Path(__file__).resolve().parent
TEXT: Final = (TESTS / "CHECKLIST.md").read_text(encoding="utf-8")
LONGEST_LINE: Final = 110
SECTIONS: Final = (
    "Transactions", "Dialogs", "Proxy", "Digest", "Offer and answer", "Reliability, UPDATE, session timers", "Registrar",
    "Events", "PUBLISH", "dialog-info", "Transfer", "Re-INVITE and races", "Others", "Glare and failure around hold",
)  # fmt: skip
FEWEST: Final = 132
"""Clauses there are: none is taken out unseen."""


class Clause(NamedTuple):
    """One entry: what must be true, and `file::test` of whatever proves it."""

    text: str
    tests: tuple[str, ...]

    @property
    def open(self) -> bool:
        return self.text.endswith(": open")


def clauses(text: str) -> list[Clause]:
    """The entries of a list whose points are clauses and whose points below are tests."""
    found: list[Clause] = []
    for entry in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        words, *below = re.split(r"\n  - ", entry.partition("\n\n")[0].rstrip())
        tests = tuple(re.sub(r"^`(.*)`$", r"\1", line) for line in below)
        found.append(Clause(" ".join(words.split()), tests))
    return found


@cache
def functions(file: str) -> frozenset[str]:
    """Names of the tests in a file; none when there is no such file."""
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def flaws(clause: Clause) -> list[str]:
    """What is wrong with an entry."""
    found = []
    for test in clause.tests:
        file, _, name = test.partition("::")
        if not name.startswith("test_") or name not in functions(file):
            found.append(f"{test}: no such test")
    if clause.open == bool(clause.tests):
        found.append("open, and it has tests" if clause.tests else "no test, and it is not said to be open")
    return [f"{clause.text}: {flaw}" for flaw in found]


def test_each_clause_has_tests_that_exist() -> None:
    assert [flaw for clause in clauses(TEXT) for flaw in flaws(clause)] == []


def test_every_section_and_every_clause_is_there() -> None:
    assert tuple(re.findall(r"^## (.+)$", TEXT, re.MULTILINE)) == SECTIONS
    found = clauses(TEXT)
    assert len(found) == len(re.findall(r"^- ", TEXT, re.MULTILINE)) >= FEWEST
    assert len({clause.text for clause in found}) == len(found)
    assert sum(len(clause.tests) for clause in found) == len(re.findall(r"^  - `", TEXT, re.MULTILINE))


def test_lines_are_short() -> None:
    assert [line for line in TEXT.splitlines() if len(line) > LONGEST_LINE and "::" not in line] == []


def test_what_is_wrong_would_be_seen() -> None:
    wrong = (
        "- A: open\n  - `test_checklist.py::test_lines_are_short`\n- B\n  - `test_checklist.py::test_of_nothing`\n- C\n\n"
        "- D\n  - `test_nowhere.py::test_x`\n- E\n  - `test_checklist.py::test_lines_are_short`\n- F: open\n"
    )
    assert [flaw for clause in clauses(wrong) for flaw in flaws(clause)] == [
        "A: open: open, and it has tests",
        "B: test_checklist.py::test_of_nothing: no such test",
        "C: no test, and it is not said to be open",
        "D: test_nowhere.py::test_x: no such test",
    ]
