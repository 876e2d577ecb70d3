"""Scenes for the scenarios; each is looked over when its test has passed."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene
from tests.scenarios.virtual_network import Rule, perfect

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


LONG = pytest.mark.long


@pytest.fixture(params=["memory", "udp", pytest.param("tcp", marks=LONG), pytest.param("durable", marks=LONG)])
def make_scene(request: pytest.FixtureRequest) -> Iterator[MakeScene]:
    """Scenes with options: `make_scene(rule=late(0.1), reinvite="never")`; every scenario with each link to CM, and with a
    store that outlives the process."""
    made: list[Scene] = []
    given: dict[str, object] = {"link": request.param}

    def make(rule: Rule = perfect, **options: object) -> Scene:
        if request.param == "durable":
            given.update(link="memory", records=KeptRecords())
        made.append(Scene(Options(**{**given, **options}), rule))  # type: ignore[arg-type]  # whatever Options takes
        return made[-1]

    yield make
    if not request.node.stash.get(FAILED, True):
        for scene in made:
            scene.quiet()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene()
