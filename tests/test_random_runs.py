"""Random runs are few and the same in every normal run; those of `make stateful` are many, and others each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.random_runs import chosen, examples

TESTS: Final = Path(__file__).resolve().parent
MAKEFILE: Final = (TESTS.parent / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def profiles() -> Iterator[None]:
    """The test may choose a profile; afterwards that of the run is in force again."""
    before = settings.get_current_profile_name()
    yield
    settings.load_profile(before)


@pytest.mark.parametrize("name", ["default", "ci", "quick"])
def test_a_normal_run_is_the_same_every_time(profiles: None, name: str) -> None:
    settings.load_profile(name)
    assert (chosen().max_examples, chosen().derandomize) == (30, True)
    assert (examples(60).max_examples, examples(60).derandomize) == (60, True)


@pytest.mark.parametrize(("name", "few", "many"), [("unshrunk", 400, 800), ("long", 4_000, 8_000)])
def test_other_runs_are_many_and_random(profiles: None, name: str, few: int, many: int) -> None:
    settings.load_profile(name)
    assert (chosen().max_examples, chosen().derandomize) == (few, False)
    assert (examples(60).max_examples, examples(60).derandomize) == (many, False)


def test_make_stateful_runs_whatever_takes_its_runs_from_the_profile() -> None:
    recipe = re.search(r"^stateful: .*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None and "--hypothesis-profile=long" in recipe[1]
    named = [TESTS.parent / word for word in recipe[1].split() if word.startswith("tests/")]
    users = [
        file for file in sorted(TESTS.rglob("test_*.py"))
        if re.search(r"^from tests\.(random_runs|sip\.test_round_trips) import", file.read_text(encoding="utf-8"), re.MULTILINE)
        and file != Path(__file__).resolve()
    ]  # fmt: skip
    assert len(users) >= 3
    assert [str(file) for file in users if not any(file == one or one in file.parents for one in named)] == []
