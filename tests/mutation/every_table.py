"""Each table with one thing wrong at a time: no mutant survives its tests. A minute in all, so it is run by `make mutants`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.mutation.run import ROOT
from tests.mutation.tables import TABLES, Table

SECONDS = 300


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.identity)
def test_no_mutant_survives(table: Table) -> None:
    command = [sys.executable, "-m", "tests.mutation.run", table.identity]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["status"], found["survivors"]) == (0, []), done.stderr
    assert found["tried"] >= len(table.value())
