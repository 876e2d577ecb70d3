"""Features change while calls stand: each call keeps those that it began with, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.feature_server.loader import LoadError
from b2bua.sip.message import Request
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    hold,
    idle,
    pending_hold,
    renderings,
    resume,
    talk,
    watch,
    watched_call,
)

MARK = '''
from b2bua.feature_server.feature import Feature


class Mark(Feature):
    """Marks the re-INVITEs of its calls, and keeps something for each."""

    def __init__(self):
        self.kept = {}

    def call_offered(self, call, invite):
        self.kept[call.id] = True
        return invite

    def request_received(self, call, leg, request):
        marked = request.copy()
        marked.append("Subject", "NUMBER")
        return marked

    def call_ended(self, call):
        del self.kept[call.id]
'''


def marked(scene: Scene) -> list[str | None]:
    """The Subjects of the re-INVITEs that CM sent on."""
    sent = scene.linked("CM", "SM", "INVITE")
    return [message.get("Subject") for message in sent if isinstance(message, Request) and message.to.tag]


@pytest.fixture
def marks(make_scene: MakeScene, tmp_path: Path) -> tuple[Scene, Path]:
    """A scene whose calls are marked `one`, and the file that says so."""
    path = tmp_path / "mark.py"
    path.write_text(MARK.replace("NUMBER", "one"))
    return make_scene(features=("mark", "hold", "lamps"), feature_directory=tmp_path), path


def test_a_hold_before_the_change_is_resumed_after_it(scene: Scene) -> None:
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(3)
    assert renderings(a.phone) == ("no", "")
    scene.server.use_features("hold", "lamps")
    assert scene.server.b2bua.calls()["held"] == 1
    resume(a, b)
    scene.advance(3)
    assert renderings(a.phone) == ("yes", "yes")
    assert scene.server.b2bua.calls()["held"] == 0
    hang_up(a, b)
    idle(scene, a, b)


def test_a_call_keeps_its_hold_and_lamp_when_new_ones_have_neither(scene: Scene) -> None:
    a, b = watched_call(scene)
    scene.server.use_features()
    hold(a, b)
    scene.advance(3)
    assert renderings(a.phone) == ("no", "")
    carol, dave = scene.phone("6003"), scene.phone("6004")
    watch(carol, carol)
    c, d = talk(carol, dave)
    hold(c, d)
    scene.advance(3)
    assert carol.lamp.dialogs[0].id == "idle"
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 1}
    resume(a, b)
    hang_up(c, d)
    hang_up(a, b)
    idle(scene, a, b)


def test_a_change_in_the_middle_of_a_hold(scene: Scene) -> None:
    """The far phone has the re-INVITE and has not answered: the features that saw the offer see the answer."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    scene.server.use_features()
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    scene.advance(3)
    assert renderings(a.phone) == ("yes", "yes")  # taken back
    hang_up(a, b)
    idle(scene, a, b)


def test_new_calls_get_the_new_feature_and_standing_ones_keep_the_old(marks: tuple[Scene, Path]) -> None:
    scene, path = marks
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    holder = scene.server.remotes.get("cm") or scene.server
    old = holder.features
    path.write_text(MARK.replace("NUMBER", "two"))
    scene.server.use_features("mark", "hold", "lamps")
    assert holder.features[1:] == old[1:] and holder.features[0] is not old[0]
    c, d = talk(scene.phone("6003"), scene.phone("6004"))
    hold(a, b)
    hold(c, d)
    resume(a, b)
    assert marked(scene) == ["one", "two", "one"]
    hang_up(a, b)
    hang_up(c, d)
    scene.advance(0.2)
    assert old[0].kept == {}  # the old one is told of the end of its calls


def test_a_feature_that_cannot_be_loaded_changes_nothing(marks: tuple[Scene, Path]) -> None:
    scene, path = marks
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    path.write_text("def (")
    with pytest.raises(LoadError, match="SyntaxError"):
        scene.server.use_features("mark", "hold", "lamps")
    hold(a, b)
    c, d = talk(scene.phone("6003"), scene.phone("6004"))
    hold(c, d)
    assert marked(scene) == ["one", "one"]
    hang_up(a, b)
    hang_up(c, d)
