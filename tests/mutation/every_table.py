"""Each table with one thing wrong at a time, and each condition of a machine that is none: no mutant survives its tests.

Some minutes in all, so it is run by `make mutants`; what is not marked `long` takes two minutes on two processors.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any, Final

import pytest
from _pytest.mark import ParameterSet

from tests.mutation.conditions import MACHINES, Machine
from tests.mutation.run import ROOT
from tests.mutation.tables import TABLES, Table

SECONDS: Final = 900
"""For all tables: a run that hangs ends."""


class Found:
    """What becomes of each, in the order in which that is known."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self._known: dict[str, dict[str, Any]] = {}

    def of(self, identity: str) -> dict[str, Any]:
        while identity not in self._known:
            found = json.loads(next(self._lines))
            self._known[found["table"]] = found
        return self._known[identity]


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> Iterator[Found]:
    """Of those that are asked for: one run."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and item.parent is request.node]
    asked = sorted((item.callspec.params["of"] for item in items), key=lambda of: isinstance(of, Table))  # what is long first
    command = ["timeout", str(SECONDS), sys.executable, "-m", "tests.mutation.run", *(of.identity for of in asked)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield Found(running.stdout)
        running.terminate()


def _table(table: Table) -> ParameterSet:
    """Whole ladders take their time."""
    ladders = any(test.startswith("tests/scenarios") for test in table.tests)
    return pytest.param(table, id=table.identity, marks=[pytest.mark.long] if ladders else [])


@pytest.mark.parametrize("of", map(_table, TABLES))
def test_no_mutant_survives(of: Table, found: Found) -> None:
    of_it = found.of(of.identity)
    assert (of_it["status"], of_it["survivors"]) == (0, [])
    assert of_it["tried"] >= len(of.value())


@pytest.mark.long
@pytest.mark.parametrize("of", MACHINES, ids=lambda machine: machine.identity)
def test_no_condition_turned_round_survives(of: Machine, found: Found) -> None:
    """But for those that change nothing; each of them does survive."""
    of_it = found.of(of.identity)
    assert of_it["status"] == 0 and of_it["tried"]
    assert sorted(of_it["survivors"]) == sorted(of.equivalent)
