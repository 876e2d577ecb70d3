"""Runs the tests of each table against its mutants: `python -m tests.mutation.run IDENTITY…` prints a line a table, with what
survived.

The tests of a table are collected once; each mutant is a child of that process, which puts the mutant in the table's place
wherever the table is known by a name, and ends at the first test that fails. What it changed ends with it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Final

import pytest

from tests.mutation.conditions import MACHINES, Wrong, conditions
from tests.mutation.tables import TABLES, Table, mutants

ROOT: Final = Path(__file__).resolve().parents[2]
BUSY: Final = 60
"""Seconds of a processor's time: a mutant that never comes to an end is noticed, too, however slow the machine is."""
IDLE: Final = 600
"""Seconds after which one that waits for ever ends."""
NOTICED, SURVIVED = 1, 0


class Runner:
    """The plugin that stands in for pytest's own loop."""

    def __init__(self, wrong: Callable[[], Iterable[Wrong]]) -> None:
        self._wrong = wrong
        self.survivors: list[str] = []
        self.tried = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        assert session.items and not session.testsfailed, "nothing collected"
        gc.freeze()  # what is shared with the children stays shared
        if self._run(session, lambda: None) != SURVIVED:
            self.survivors.append("the tests fail as it is")
            return True
        for each in self._wrong():
            self.tried += 1
            if self._run(session, each.make) == SURVIVED:
                self.survivors.append(each.what)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(NOTICED)

    def _run(self, session: pytest.Session, make: Callable[[], None]) -> int:
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        resource.setrlimit(resource.RLIMIT_CPU, (BUSY, BUSY))
        signal.alarm(IDLE)
        make()
        for index, item in enumerate(session.items):
            following = session.items[index + 1] if index + 1 < len(session.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        os._exit(SURVIVED)


def put_in_place(original: object, mutant: object) -> None:
    """Under every name that a module of ours or a class in it has for the table."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("b2bua", "plugins", "tests"):
            classes = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == name]
            for owner in (module, *classes):
                for known, value in list(vars(owner).items()):
                    if value is original:
                        setattr(owner, known, mutant)


def sources_only() -> None:
    """Read b2bua and plugins from their sources, compiled or not: what is compiled keeps its tables to itself."""

    def hook(path: str) -> FileFinder:
        if not any(Path(path).is_relative_to(ROOT / package) for package in ("b2bua", "plugins")):
            raise ImportError
        return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def wrong_tables(table: Table) -> Iterator[Wrong]:
    original = table.value()
    for mutant in mutants(table):
        yield Wrong(mutant.what, partial(put_in_place, original, mutant.table))


def main(identity: str) -> dict[str, object]:
    """What becomes of one table or machine, in this process, which is no use for another afterwards."""
    known = {each.identity: each for each in (*TABLES, *MACHINES)}
    of = known[identity]
    runner = Runner(partial(wrong_tables, of) if isinstance(of, Table) else partial(conditions, of))
    options = ["--assert=plain", "-p", "no:terminal", "-p", "no:cacheprovider", "--import-mode=importlib"]
    status = pytest.main([*options, *(str(ROOT / test) for test in of.tests)], plugins=[runner])
    return {"table": identity, "tried": runner.tried, "survivors": runner.survivors, "status": int(status)}


def each(identities: list[str]) -> None:
    """A child a table, as many at a time as there are processors: what most tests import is imported once, before."""
    for table in TABLES:
        importlib.import_module(table.module)
    importlib.import_module("tests.scenarios")
    waiting, running = identities[::-1], 0
    while waiting or running:
        if waiting and running < (os.cpu_count() or 1):
            identity = waiting.pop()
            running += 1
            if os.fork() == 0:
                found = json.dumps(main(identity)) + "\n"
                os.write(1, found.encode())  # at once, not between those of another table
                os._exit(0)
        else:
            os.wait()
            running -= 1


if __name__ == "__main__":
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer to load than most tables to be tried
    sources_only()
    each(sys.argv[1:])
