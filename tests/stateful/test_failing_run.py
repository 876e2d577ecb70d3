"""What a run that fails tells: whoever reads it has the seed, the steps and the ladder, and can run it again."""

from __future__ import annotations

import re
import traceback

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.stateful.whole_server import WholeServer

ONCE = settings(settings.get_profile("quick"), max_examples=1, stateful_step_count=3, phases=[Phase.generate])


class FoundOnTheWay(WholeServer):
    """What is looked at after each step is wrong."""

    @invariant()
    def finds(self) -> None:
        self._check(["a planted mistake"])


class FoundAtTheEnd(WholeServer):
    """What is looked at when all is over is wrong."""

    def _left_behind(self) -> list[str]:
        return ["a planted mistake"]


class RaisesInAStep(WholeServer):
    """A step itself fails."""

    @invariant()
    def raises(self) -> None:
        raise ValueError("a planted mistake")


@pytest.mark.parametrize("machine", [FoundOnTheWay, FoundAtTheEnd, RaisesInAStep])
def test_a_failing_run_tells_its_seed_its_steps_and_its_ladder(machine: type[WholeServer]) -> None:
    with pytest.raises((AssertionError, ValueError)) as caught:
        run_state_machine_as_test(machine, settings=ONCE)
    printed = "".join(traceback.format_exception(caught.value))
    seeds = re.findall(r"^seed (\d+), share .*, link memory, connected \{\}$", printed, re.MULTILINE)
    assert len(seeds) == 1, printed
    assert re.search(rf"state\.start\(.*seed={seeds[0]}\b", printed), printed
    assert "a planted mistake" in printed
    assert re.search(r"^ +6001 +SM +CM", printed, re.MULTILINE), printed
    assert re.search(r"\|-+ REGISTER -+>\|", printed), printed
    assert "@reproduce_failure(" in printed
