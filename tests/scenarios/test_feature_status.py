"""What a user has switched on is shown by the user's own phones, Avaya-style."""

from __future__ import annotations

import pytest

from b2bua.config.events import KNOWN_PACKAGES
from b2bua.sip.feature_status import parse_feature_status
from plugins.communication_manager.feature_status import EVENT, SHOWN
from tests.scenarios.events import ask, refused, subscribe, told
from tests.scenarios.forwarded_call import dial, has_set
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene, register_again
from tests.scenarios.script_phone import ScriptPhone

FEATURES = ("feature_status", "do_not_disturb", "forwarding", "find_me", "hold", "lamps")
NAMES = {
    "forward_always": "call-forwarding-all", "forward_busy": "call-forwarding-busy",
    "forward_no_answer": "call-forwarding-no-answer", "do_not_disturb": "do-not-disturb", "find_me": "find-me",
}  # fmt: skip


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES, event_packages=KNOWN_PACKAGES)


def on(phone: ScriptPhone) -> set[str]:
    """The features that the newest document says are on."""
    return {name for name, status in parse_feature_status(told(phone, EVENT).body).features if status == "on"}


def test_by_code(scene: Scene) -> None:
    alice = scene.phone("6001")
    subscribe(alice, EVENT, alice.aor)
    assert on(alice) == set()
    scene.advance(1.1)
    assert dial(alice, "*726003", "480") == "Forwarding To 6003"
    scene.advance(1.1)
    assert on(alice) == {"call-forwarding-all"}
    assert dial(alice, "*78", "480") == "Do Not Disturb On"
    scene.advance(1.1)
    assert "do-not-disturb" in on(alice)  # a partial document
    assert dial(alice, "*73", "480") == "Forwarding Off"
    scene.advance(1.1)
    assert dial(alice, "*79", "480") == "Do Not Disturb Off"
    scene.advance(2.2)
    assert on(alice) == set()


@pytest.mark.parametrize("setting", NAMES)
def test_each_has_its_name(scene: Scene, setting: str) -> None:
    alice = scene.phone("6001")
    subscribe(alice, EVENT, alice.aor)
    scene.advance(1.1)
    has_set(scene, "6001", **{setting: "on" if setting == "do_not_disturb" else "6003"})
    scene.advance(1.1)
    assert on(alice) == {NAMES[setting]}
    assert {name for name, _ in parse_feature_status(told(alice, EVENT).body).features} == set(NAMES.values())
    has_set(scene, "6001", **{setting: ""})
    scene.advance(2.2)
    assert on(alice) == set()


def test_what_is_no_feature_is_not_shown(scene: Scene) -> None:
    alice = scene.phone("6001")
    subscribe(alice, EVENT, alice.aor)
    scene.advance(1.1)
    heard = len(alice.notified)
    has_set(scene, "6001", find_me_seconds="5", do_not_disturb="off")
    scene.advance(2.2)
    assert len(alice.notified) == heard
    assert set(SHOWN) == set(NAMES)


def test_nobody_elses_phone_sees_it(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert refused(bob, EVENT, alice.aor) == 403


def test_a_phone_with_the_profile_sees_it_too(make_scene: MakeScene) -> None:
    scene = make_scene(features=FEATURES, user_profiles={"6001": ["avaya"]})
    alice = scene.phone("6001")
    assert dial(alice, "*726003", "480") == "Forwarding To 6003"
    scene.advance(1.1)
    answer, call = ask(alice, EVENT, alice.aor)
    call.learn(answer)
    assert on(alice) == {"call-forwarding-all"}
    assert dial(alice, "*73", "480") == "Forwarding Off"
    scene.advance(2.2)
    assert on(alice) == set()


def test_it_is_shown_after_a_restart() -> None:
    scene = Scene(Options(records=KeptRecords(), features=FEATURES, event_packages=KNOWN_PACKAGES))
    alice = scene.phone("6001")
    has_set(scene, "6001", forward_always="6003")
    scene.advance(0.1)
    scene.restart()
    scene.advance(1.1)
    register_again(alice, 11)
    subscribe(alice, EVENT, alice.aor)
    assert on(alice) == {"call-forwarding-all"}
    has_set(scene, "6001", forward_always="")
    scene.advance(2.2)
    assert on(alice) == set()
    scene.quiet()
