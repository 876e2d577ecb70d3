"""A built-in feature that does not come back, on the whole server: it is told by name and ended, compiled or not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import b2bua
from b2bua.log.events import Say
from b2bua.observer import Observer
from b2bua.watchdog import LOOK_SECONDS, SIGNAL, HookTooLong, Watchdog
from tests.scenarios.scene import MakeScene, Scene, hang_up, talk

pytestmark = pytest.mark.parametrize("make_scene", ["memory"], indirect=True)


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=("hold", "lamps", "media_relay"), relay="pass")


@pytest.fixture
def told(scene: Scene) -> Iterator[list[tuple[str, dict[str, object]]]]:
    """A watchdog at work in this thread; what it logs."""
    lines: list[tuple[str, dict[str, object]]] = []
    log: Say = lambda event, **fields: lines.append((event, fields))  # noqa: E731
    before = signal.getsignal(SIGNAL)
    core = [Path(str(b2bua.__file__)).parent]
    dog = Watchdog(lambda: scene.server.features, 0.5, core, Observer(), log)
    dog.start()
    dog.turned()
    yield lines
    dog.stop()
    time.sleep(2 * LOOK_SECONDS)
    signal.signal(SIGNAL, before)


def test_who_waits_in_the_system(
    scene: Scene, told: list[tuple[str, dict[str, object]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The media relay forgets a call by opening a pipe that nobody writes to: all in C, as its own file would be."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    (call,) = scene.server.relay.calls
    monkeypatch.chdir(tmp_path)
    os.mkfifo(call)
    monkeypatch.setattr(scene.server.relay, "forget", partial(os.open, flags=os.O_RDONLY))
    scene.expected_errors = 1
    nobody = threading.Timer(15, lambda: os.close(os.open(call, os.O_WRONLY | os.O_NONBLOCK)))
    nobody.start()  # it would wait for ever
    hang_up(a, b)
    nobody.cancel()
    monkeypatch.undo()
    scene.server.relay.forget(call)
    (error,) = scene.server.errors
    assert isinstance(error, HookTooLong) and str(error).startswith("media_relay was ")
    event, fields = told[0]
    assert (event, fields["feature"]) == ("feature_blocks", "media_relay")
