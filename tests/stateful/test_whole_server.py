"""Two phones, a watcher, any order of what their users may do, on networks good and bad: see whole_server.py.

A run that fails prints its steps, the ladder, and the `@reproduce_failure` line that repeats it.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.whole_server import WholeServer

LONG = "long"
quick = settings(
    max_examples=40, stateful_step_count=40, derandomize=True, deadline=None, database=None, print_blob=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
EXAMPLES = int(os.environ.get("B2BUA_EXAMPLES", "0"))
chosen = settings(quick, max_examples=EXAMPLES, derandomize=False) if EXAMPLES else quick


@pytest.mark.parametrize("link", ["memory", "udp"])
def test_whole_server(link: str) -> None:
    machine = type(f"WholeServer_{link}", (WholeServer,), {"link": link})
    run_state_machine_as_test(machine, settings=chosen)
