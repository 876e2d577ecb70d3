"""The file of call detail records: on the disk before it is said to be, whole lines only, moved away, full, found again."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from b2bua.cdr import file as module
from b2bua.cdr.file import CdrFile, check_file
from tests.log_lines import kept_log

PATIENCE = 10.0


class World:
    """A file, and the thread of whoever writes to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.failures: list[int] = []
        self.written: list[str] = []
        self._posted: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.file = CdrFile(path, "cm@lab", lambda *what: self._posted.put(what), kept_log(self.lines), self._failed)

    def _failed(self) -> None:
        self.failures.append(1)

    def write(self, *names: str, pad: int = 0) -> None:
        for name in names:
            self.file.write(name, line(name, pad), lambda name=name: self.written.append(name))  # type: ignore[misc]

    def until(self, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < end, (self.lines, self.written)
            function, *arguments = self._posted.get(timeout=PATIENCE)
            function(*arguments)

    def names(self, path: Path | None = None) -> list[str]:
        return [json.loads(text)["id"] for text in (path or self.path).read_text().splitlines()]


def line(name: str, pad: int = 0) -> str:
    return json.dumps({"id": name, "pad": "x" * pad})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "calls.jsonl")
    yield made
    made.file.close()


def test_lines_are_told_once_they_are_there(world: World) -> None:
    world.write(*(f"c{number}" for number in range(1200)))
    world.until(lambda: len(world.written) == 1200)
    assert world.names() == world.written == [f"c{number}" for number in range(1200)]
    assert world.path.stat().st_mode & 0o777 == 0o600


def test_moved_away_and_reloaded(world: World) -> None:
    """As logrotate does it: what was ordered before is in the old file."""
    moved = world.path.with_name("calls.jsonl.1")
    world.write("c1")
    world.until(lambda: world.written == ["c1"])
    world.path.rename(moved)
    world.write("c2")
    world.file.follow(world.path)
    world.write("c3")
    world.until(lambda: len(world.written) == 3)
    assert (world.names(moved), world.names()) == (["c1", "c2"], ["c3"])


def test_switched_off_and_on(world: World, tmp_path: Path) -> None:
    world.file.follow(None)
    assert not world.file.on
    other = tmp_path / "others.jsonl"
    world.file.follow(other)
    assert world.file.on
    world.write("c1")
    world.until(lambda: world.written == ["c1"])
    assert world.names(other) == ["c1"]


def test_the_end_writes_what_waits(world: World) -> None:
    world.write("c1", "c2")
    world.file.close()
    assert world.names() == ["c1", "c2"]


def test_a_line_that_was_begun_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(line("c1") + "\n" + line("c2")[:10])
    world = World(path)
    world.write("c3")
    world.until(lambda: world.written == ["c3"])
    assert world.names() == ["c1", "c3"]
    world.file.close()


def test_after_a_restart_only_what_is_missing_is_written(tmp_path: Path) -> None:
    """One in the file, one in the file that was moved away, one half written, one not at all."""
    path = tmp_path / "calls.jsonl"
    path.with_name("calls.jsonl.1").write_text(line("c1") + "\n")
    path.write_text(line("c2") + "\n" + line("c3")[:-1])
    world = World(path)
    world.file.recover({name: line(name) for name in ("c1", "c2", "c3", "c4")}, world.written.append)
    world.until(lambda: len(world.written) == 4)
    assert world.names() == ["c2", "c3", "c4"]
    world.file.close()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on the size of files stands for it: nothing of a line is left behind, and all are written once there is room."""
    world = World(tmp_path / "calls.jsonl")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    monkeypatch.setattr(module, "TRY_SECONDS", 0.05)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        world.write("c1")
        world.until(lambda: world.written == ["c1"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (world.path.stat().st_size + 50, before[1]))
        world.write("c2", "c3", pad=100)
        world.until(lambda: world.failures == [1])
        assert world.names() == ["c1"] and world.written == ["c1"]
        assert world.lines == [f'cdr_failed path={world.path} reason="File too large"']
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    world.until(lambda: len(world.written) == 3)
    assert world.names() == ["c1", "c2", "c3"] and world.lines[1] == f"cdr_written_again path={world.path} owed=0"
    assert world.failures == [1]
    world.file.close()


def test_a_directory_that_is_gone_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_SECONDS", 0.05)
    folder = tmp_path / "disk"
    world = World(folder / "calls.jsonl")
    world.write("c1")
    world.until(lambda: world.failures == [1])
    folder.mkdir()
    world.until(lambda: world.written == ["c1"])
    assert world.names() == ["c1"]
    world.file.close()


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OWED", 3)
    world = World(tmp_path / "nowhere" / "calls.jsonl")
    world.write(*(f"c{number}" for number in range(5)))
    world.until(lambda: len(world.failures) == 3)  # the outage, and two that are lost
    assert [text for text in world.lines if text.startswith("cdr_lost")] == ["cdr_lost call=c0", "cdr_lost call=c1"]
    world.file.close()


@pytest.mark.parametrize("path", ["nowhere/calls.jsonl", "."])
def test_a_path_that_cannot_be(tmp_path: Path, path: str) -> None:
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        check_file(tmp_path / path)
    assert os.listdir(tmp_path) == []
