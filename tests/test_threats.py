"""The threat model names tests that exist, for each of its promises, and is two pages long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / "b2bua" / "THREATS.md"
TEXT = FILE.read_text(encoding="utf-8")
PAGES, LINES_A_PAGE = 2, 70
ROWS = [line for line in TEXT.partition("## Promises")[2].partition("## Not promised")[0].splitlines() if line.startswith("| ")]
PROMISES = [row.strip("| ").split(" | ") for row in ROWS if not row.startswith("| Promise |")]


@pytest.mark.parametrize(("promise", "tests"), PROMISES, ids=[promise for promise, _ in PROMISES])
def test_each_promise_names_tests_that_exist(promise: str, tests: str) -> None:
    files = re.split(r", (?=\[)", tests)
    for part in files:
        link = re.fullmatch(r"\[([^]]+)\]\(\.\./tests/\1\) (`test_\w+`(?:, `test_\w+`)*)", part)
        assert link is not None, part
        source = (FILE.parent.parent / "tests" / link[1]).read_text(encoding="utf-8")
        for name in re.findall(r"`(test_\w+)`", link[2]):
            assert re.search(rf"^\s*(?:async )?def {name}\(", source, re.MULTILINE), f"{link[1]} has no {name}"


def test_there_are_promises_and_it_is_short() -> None:
    assert len(PROMISES) > 25
    assert len(TEXT.splitlines()) <= PAGES * LINES_A_PAGE


def test_assets_attackers_and_what_is_not_promised_are_told() -> None:
    assert re.findall(r"^## (.+)$", TEXT, re.MULTILINE) == ["Assets", "Who attacks", "Promises", "Not promised"]
