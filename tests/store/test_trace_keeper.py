"""The trace on disk: kept for its time and within its size, redacted, private; a full disk or a bad file stops nothing else."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b2bua.store.trace_file import MOST_READ, TraceFile
from b2bua.store.trace_keeper import MOST_WAITING, RETRY, TraceKeeper
from b2bua.trace.kept import Tail, recorder_of
from b2bua.trace.records import Reader, Record
from tests.trace.hand_made import Scene, sdp, standing_call

Told = list[tuple[bool, int]]


class Clock:
    now = 2_000.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """A keeper, and a scene whose recorder is handed on to it."""

    def __init__(self, path: Path, keep: float = 3600.0, most: int = 10_000_000) -> None:
        self.clock, self.told = Clock(), Told()
        self.said: list[str] = []
        """Events of the log."""
        self.keeper = TraceKeeper(path, keep, most, self.clock, lambda ok, lost: self.told.append((ok, lost)), self._log)

    def _log(self, event: str, /, **_fields: object) -> None:
        self.said.append(event)

    def hand_on(self, scene: Scene) -> None:
        Tail(scene.recorder, self.keeper.put).hand_on()

    def records(self, since: float = 0.0) -> list[Record]:
        recorder = self.keeper.read(since, lambda rows, names: recorder_of(rows, names, "SM")).result(10.0)
        return [record for record in Reader(recorder).read(recorder.entries()) if record is not None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "trace.db"


@pytest.fixture
def open_kept(path: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def opened(**options: float) -> Kept:
        made.append(Kept(path, **options))  # type: ignore[arg-type]
        return made[-1]

    yield opened
    for one in made:
        one.keeper.close()


def test_it_reads_the_same_after_a_restart(open_kept: Callable[..., Kept], path: Path) -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    first = open_kept()
    first.hand_on(call.scene)
    first.keeper.close()
    again = open_kept()
    assert again.records() == call.scene.records()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and first.told[-1] == (True, 0)
    half = call.scene.records()[10]["time"]
    assert next(record["time"] for record in again.records(half)) == half


def test_decisions_and_faults_are_kept(open_kept: Callable[..., Kept]) -> None:
    call = standing_call()
    scene = call.scene
    scene.recorder.concerning(b"", (None, "dropped: {}", "on purpose"))
    scene.recorder.mark(scene.flows["6001"], "fault 1: dropped")
    kept = open_kept()
    kept.hand_on(scene)
    assert kept.records() == scene.records() and kept.records()[-1]["decisions"] == ["dropped: on purpose"]


def test_no_secret_reaches_the_disk(open_kept: Callable[..., Kept], path: Path) -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    call.scene.up("6001", call.from_phone("INVITE", "6001", body=sdp("sendrecv", 9, key="SecretSecretSecret")))
    assert "0123abcd" in str(call.scene.recorder.entries())
    kept = open_kept()
    kept.hand_on(call.scene)
    assert kept.records()
    kept.keeper.close()
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"0123abcd" not in everything and b"SecretSecret" not in everything and b"INVITE" in everything


def test_only_what_is_new_is_handed_on(open_kept: Callable[..., Kept]) -> None:
    call = standing_call()
    kept = open_kept()
    tail = Tail(call.scene.recorder, kept.keeper.put)
    for _ in range(3):
        tail.hand_on()
    call.change("6001", "sendonly")
    tail.hand_on()
    assert len(kept.records()) == len(call.scene.records())


def test_what_is_too_old_or_too_much_goes(path: Path) -> None:
    file = TraceFile(path, 200_000)
    row = (0.0, "in", "udp", "192.0.2.1", "5060", b"x" * 1_000, "", "", "")
    for at in range(500):
        file.append([(float(at), *row[1:])], [])
    file.forget_before(100.0)
    rows, _ = file.read(0.0)
    assert rows[0][0] > 100.0 and rows[-1][0] == 499.0
    for _ in range(30):
        file.forget_before(100.0)
    assert file.octets() <= 200_000 and file.read(0.0)[0][-1][0] == 499.0
    assert len(rows) <= MOST_READ
    file.close()


def test_a_file_that_is_none_of_ours_is_set_aside(open_kept: Callable[..., Kept], path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    kept = open_kept()
    kept.hand_on(standing_call().scene)
    assert kept.records() and kept.told == [(True, 0)]
    assert path.with_name("trace.db.damaged").read_bytes().startswith(b"no database")


def test_a_disk_that_takes_nothing_loses_the_keeping_alone_and_is_tried_again(
    open_kept: Callable[..., Kept], path: Path
) -> None:
    path.parent.write_bytes(b"a file where the folder should be")
    kept, call = open_kept(), standing_call()
    kept.hand_on(call.scene)
    messages = len(call.scene.recorder)
    with pytest.raises(OSError):
        kept.records()
    path.parent.unlink()
    kept.hand_on(call.scene)  # too early: not tried
    assert kept.records() == []
    kept.clock.now += RETRY
    kept.hand_on(call.scene)
    assert len(kept.records()) == messages
    assert kept.told == [(False, messages), (False, messages), (True, 0)]
    assert kept.said == ["trace_not_kept", "trace_kept_again"]


def test_a_full_disk(open_kept: Callable[..., Kept], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: TraceFile, rows: object, names: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    call = standing_call()
    kept = open_kept()
    with monkeypatch.context() as patched:
        patched.setattr(TraceFile, "append", full)
        kept.hand_on(call.scene)
        assert kept.records() == []
    kept.clock.now += RETRY
    kept.hand_on(call.scene)
    assert kept.records() == call.scene.records() and [ok for ok, _ in kept.told] == [False, True]


def test_a_thread_that_hangs_is_not_waited_for(open_kept: Callable[..., Kept]) -> None:
    from threading import Event

    kept, go_on = open_kept(), Event()

    def hanging() -> tuple[list[object], list[object]]:
        go_on.wait(30.0)
        return [], []

    taken = 0
    while kept.keeper.put(hanging, 1):  # type: ignore[arg-type]
        taken += 1
        assert taken <= MOST_WAITING + 1
    scene = standing_call().scene
    kept.hand_on(scene)
    assert scene.recorder.dropped == len(scene.recorder), "counted, and SIP has not waited"
    go_on.set()
