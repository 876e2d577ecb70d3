"""Each table with one thing wrong at a time: no mutant survives its tests. A minute in all, so it is run by `make mutants`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any, Final

import pytest

from tests.mutation.run import ROOT
from tests.mutation.tables import TABLES, Table

SECONDS: Final = 900
"""For all tables: a run that hangs ends."""


class Found:
    """What becomes of the tables, in the order in which that is known."""

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
    """Of those tables that are asked for: one run."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and item.parent is request.node]
    asked = [item.callspec.params["table"] for item in items]
    command = ["timeout", str(SECONDS), sys.executable, "-m", "tests.mutation.run", *(table.identity for table in asked)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield Found(running.stdout)
        running.terminate()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.identity)
def test_no_mutant_survives(table: Table, found: Found) -> None:
    of_it = found.of(table.identity)
    assert (of_it["status"], of_it["survivors"]) == (0, [])
    assert of_it["tried"] >= len(table.value())
