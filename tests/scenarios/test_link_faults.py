"""Faults on purpose in a feature server in a process of its own: its features' and the program's, on its end of the link."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.faults.faults import Faults
from b2bua.feature_server.blame import feature_of
from b2bua.trace.records import Reader
from tests.scenarios.remote_feature_server import RemoteFeatureServer
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, hold, invite, resume, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.test_feature_faults import FILE

pytestmark = pytest.mark.parametrize("make_scene", ["udp", "tcp"], indirect=True)
"""Where there is such a process."""


@pytest.fixture
def scene(make_scene: MakeScene, tmp_path: Path) -> Scene:
    (tmp_path / "mishaps.py").write_text(FILE)
    return make_scene(features=("hold", "lamps", "mishaps"), feature_directory=tmp_path, trace=500)


def there(scene: Scene) -> RemoteFeatureServer:
    return scene.server.remotes["cm"]


def fault(scene: Scene, text: str) -> Faults:
    return there(scene).fault(text)


def told(scene: Scene) -> list[str]:
    """What the trace of that process says of the messages that a fault struck."""
    recorder = there(scene).recorder
    return [str(record["fault"]) for record in Reader(recorder).read(recorder.entries()) if record and "fault" in record]


def test_its_features_strike_what_it_sends(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    fault(scene, "mark method=INVITE direction=out user=6002 argument=x")
    a, b, arrived = invite(alice, bob)
    assert arrived.get("X-Strike") == "1 x True"
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    assert scene.count("faults_injected", "mark") == 1 and told(scene) == ["fault 1: mark: changed"]
    hang_up(a, b)


def test_its_features_strike_what_it_gets(scene: Scene) -> None:
    """The INVITE of 6001 comes late: nothing goes on before."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    fault(scene, "late method=INVITE direction=in user=6001")
    a = called(alice, bob.aor)
    scene.advance(0.3)
    bob.hears_nothing()
    scene.advance(0.2)
    arrived = bob << "INVITE"
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 603)
    bob << "ACK"
    alice >> a.ack(alice << "603 INVITE")
    assert told(scene) == ["fault 1: late: delayed by 0.4 s"]


def test_user_is_the_party_of_the_leg(scene: Scene) -> None:
    """Of the same hold, forwarded, the leg of the one who is named."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    faults = fault(scene, "mark method=re-INVITE count=all user=6002")
    hold(a, b)
    assert [one.acted for one in faults.standing] == [1]
    fault(scene, "mark method=re-INVITE count=all user=6003")
    resume(a, b)
    assert [one.acted for one in faults.standing] == [2, 0]
    hang_up(a, b)


def test_a_request_is_answered_in_the_place_of_its_feature_server(scene: Scene) -> None:
    """`answer` and a feature's `Answered`, each way."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for text in ("answer code=486 method=INVITE user=6001", "busy method=INVITE user=6001 direction=in"):
        fault(scene, text)
        a = called(alice, bob.aor)
        alice >> a.ack(alice << "486 INVITE")
    for text in ("answer code=486 method=INVITE user=6002 direction=out", "busy method=INVITE user=6002 direction=out"):
        fault(scene, text)
        a = called(alice, bob.aor)
        scene.advance(0.1)
        alice >> a.ack(alice << "486 INVITE")
    assert scene.count("faults_injected", "answer") == scene.count("faults_injected", "busy") == 2


def test_a_copy_that_comes_twice_is_the_transactions_work(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    fault(scene, "twice method=INVITE direction=in")
    fault(scene, "duplicate method=INVITE direction=out user=6002")
    hang_up(*talk(alice, bob))
    assert told(scene) == ["fault 1: twice: duplicated", "fault 2: duplicated", "fault 2: duplicated"]


def test_a_lamp_that_is_lost_is_published_again(scene: Scene) -> None:
    """PUBLISH over the link: by UDP it is repeated, by TCP its transaction is over after 32 s and what stands then follows."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    fault(scene, "lose method=PUBLISH direction=out user=6002")
    a, b = talk(alice, bob)
    scene.advance(40)
    fault(scene, "drop method=PUBLISH status=2xx direction=in")
    hang_up(a, b)
    scene.advance(40)
    assert told(scene)[0] == "fault 1: lose: dropped" and scene.count("faults_injected", "drop") == 1


def test_one_that_raises_changes_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    fault(scene, "raise_ method=INVITE direction=in")
    scene.expected_errors = 1
    hang_up(*talk(alice, bob))
    assert feature_of(scene.server.errors[0]) == "mishaps" and scene.count("feature_errors", "mishaps", "raised") == 1
    assert not told(scene)


def test_after_a_reload_its_feature_may_be_gone(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    faults = fault(scene, "lose method=INVITE direction=in count=all")
    scene.server.use_features("hold", "lamps")
    hang_up(*talk(alice, bob))
    assert not told(scene) and faults.standing[0].acted == 0


@pytest.mark.parametrize(("text", "why"), [
    ("challenge method=INVITE", "a feature server challenges nobody"), ("drop trunk=carrier", "a feature server knows no trunks"),
    ("unheard_of method=INVITE", "nor has a feature in use a fault of this name"),
])  # fmt: skip
def test_what_cannot_be_there_is_refused(scene: Scene, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fault(scene, text)


def test_without_faults_nothing_stands_in_the_way(scene: Scene) -> None:
    server = there(scene)
    before = server.deliver, server.layer.user, server._socket.put
    faults = fault(scene, "drop method=MESSAGE")
    assert all(one != other for one, other in zip(before, (server.deliver, server.layer.user, server._socket.put), strict=True))
    faults.remove(None)
    assert before == (server.deliver, server.layer.user, server._socket.put)
