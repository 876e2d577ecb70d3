"""Faults that a feature brings, on the whole server: a file of a few lines, struck where the line of the fault says."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.feature_server.blame import feature_of
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, invite, resume, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.test_faults import marks

pytestmark = pytest.mark.parametrize("make_scene", ["memory", "durable"], indirect=True)
"""Features in a process of their own do not reach the wire of this one."""

FILE = '''
"""Whatever `effect` says, done to a message."""

from b2bua.feature_server.feature import Feature
from b2bua.feature_server.strike import Answered, Delayed, Doubled


def altered(strike):
    changed = strike.message.copy()
    changed.append("X-Strike", f"{strike.number} {strike.argument} {strike.outgoing}")
    return changed


EFFECTS = {
    "lose": lambda strike: None,
    "late": lambda strike: Delayed(0.4),
    "twice": lambda strike: Doubled(),
    "busy": lambda strike: Answered(486),
    "mark": altered,
    "cut": lambda strike: strike.message.encode()[:-9],
    "noise": lambda strike: b"no SIP at all",
    "spare": lambda strike: strike.message,
    "sometimes": lambda strike: None if strike.draw() < 0.5 else strike.message,
    "raise_": lambda strike: 1 / 0,
    "nonsense": lambda strike: "what is this",
    "forever": lambda strike: Delayed(3601),
    "huge": lambda strike: b"x" * 65508,
}


class Mishaps(Feature):
    faults = {name: "a test of it" for name in EFFECTS}

    def message_struck(self, strike):
        return EFFECTS[strike.fault](strike)
'''


@pytest.fixture
def make_struck(make_scene: MakeScene, tmp_path: Path) -> MakeScene:
    (tmp_path / "mishaps.py").write_text(FILE)

    def make(**options: object) -> Scene:
        features = ("hold", "lamps", "mishaps")
        return make_scene(**{"features": features, "feature_directory": tmp_path, "trace": 500, **options})

    return make


@pytest.fixture
def scene(make_struck: MakeScene) -> Scene:
    return make_struck()


def options(phone_scene: Scene, user: str = "6001") -> list[str]:
    """The answers to one OPTIONS of this user that have come so far."""
    alice = next((phone for phone in phone_scene.phones if phone.user == user), None) or phone_scene.phone(user)
    alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
    found = [message.start_line().split()[1] for message in alice.inbox]
    alice.inbox.clear()
    return found


def test_lost(scene: Scene) -> None:
    scene.server.fault("lose method=OPTIONS")
    assert options(scene) == []
    assert options(scene) == ["200"]
    assert marks(scene) == ["OPTIONS: fault 1: lose: dropped"]
    assert scene.count("faults_injected", "lose") == 1


def test_late_both_ways(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.server.fault("late method=OPTIONS")
    scene.server.fault("late method=OPTIONS status=200")
    assert options(scene) == []
    scene.advance(0.75)
    alice.hears_nothing()
    scene.advance(0.15)
    alice << "200 OPTIONS"
    assert marks(scene) == ["OPTIONS: fault 1: late: delayed by 0.4 s", "200 OK: fault 2: late: delayed by 0.4 s"]


def test_twice_is_served_once(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("twice method=INVITE user=6002 direction=out")
    scene.server.fault("twice method=INVITE user=6001 direction=in")
    a, b = talk(alice, bob)
    assert [message.start_line().split()[0] for _, message in bob.repeated] == ["INVITE"]
    hang_up(a, b)


def test_a_request_to_us_is_answered_and_goes_no_further(scene: Scene) -> None:
    """All copies of it get the one answer."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("busy method=INVITE user=6001")
    a = ScriptCall(alice, bob.aor)
    text = a.invite(a.sdp())
    alice >> text
    busy = alice << "486 INVITE"
    alice >> text
    assert [message.start_line() for _, message in alice.repeated] == [busy.start_line()]
    alice >> a.ack(busy)
    bob.hears_nothing()
    assert marks(scene) == ["INVITE: fault 1: busy: answered 486"]


def test_a_request_of_ours_is_answered_in_the_place_of_the_phone(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("busy method=INVITE user=6002 direction=out")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    scene.advance(0.1)
    alice >> a.ack(alice << "486 INVITE")
    bob.inbox.clear()  # the ACK of what it has never sent


def test_changed_as_the_feature_likes(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("mark method=INVITE user=6002 direction=out argument=so")
    a, b, arrived = invite(alice, bob)
    assert arrived.get("X-Strike") == "1 so True"
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    assert marks(scene) == ["INVITE: fault 1: mark: changed"]


@pytest.mark.parametrize("name", ["cut", "noise"])
def test_bytes_that_are_no_sip_do_no_harm(scene: Scene, name: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.fault(f"{name} method=INFO user=6001")
    alice >> a.request("INFO", a.sdp())
    assert [message.start_line().split()[1] for message in alice.inbox] == (["400"] if name == "cut" else [])
    alice.inbox.clear()
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    assert marks(scene) == [f"INFO: fault 1: {name}: changed"]


def test_what_the_feature_spares_goes_on_and_is_not_counted(scene: Scene) -> None:
    installation = scene.server.fault("spare method=OPTIONS count=2")
    scene.server.fault("lose method=OPTIONS")
    assert options(scene) == []  # of the second: the first has left it alone
    assert options(scene) == ["200"]
    assert [(one.matched, one.acted, one.spent) for one in installation.faults.standing] == [(2, 0, True), (1, 1, True)]
    assert not installation.installed
    assert scene.count("faults_injected", "spare") == 0


def drawn(make_struck: MakeScene, seed: int) -> list[bool]:
    scene = make_struck()
    scene.server.fault(f"sometimes method=OPTIONS user=6001 count=all seed={seed}")
    return [not options(scene) for _ in range(40)]


def test_a_seed_makes_a_run_repeat(make_struck: MakeScene) -> None:
    first, again, other = drawn(make_struck, 7), drawn(make_struck, 7), drawn(make_struck, 8)
    assert first == again != other
    assert 8 <= sum(first) <= 32


@pytest.mark.parametrize(
    ("name", "error"),
    [("raise_", ZeroDivisionError), ("nonsense", ValueError), ("forever", ValueError), ("huge", ValueError)],
)
def test_a_mistake_of_the_feature_leaves_the_message_as_it_was(scene: Scene, name: str, error: type[Exception]) -> None:
    scene.server.fault(f"{name} method=OPTIONS")
    assert options(scene) == ["200"]
    assert [(type(one), feature_of(one)) for one in scene.server.errors] == [(error, "mishaps")]
    assert scene.count("feature_errors", "mishaps", "raised") == 1
    scene.expected_errors = 1
    assert marks(scene) == []


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_nobody_answers_these(scene: Scene, method: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault(f"busy method={method} user=6001 direction=in")
    a, b, arrived = invite(alice, bob)
    if method == "CANCEL":
        bob >> b.answer(arrived, 180)
        alice << "180 INVITE"
        alice >> a.cancel()
        alice << "200 CANCEL"
        alice >> a.ack(alice << "487 INVITE")
        cancel = bob << "CANCEL"
        bob >> b.answer(cancel, 200)
        bob >> b.answer(arrived, 487)
        bob << "ACK"
    else:
        bob >> b.answer(arrived, 486)
        bob << "ACK"
        alice >> a.ack(alice << "486 INVITE")
    scene.expected_errors = 1
    assert [feature_of(one) for one in scene.server.errors] == ["mishaps"]


def test_a_feature_that_is_gone_strikes_no_more(scene: Scene) -> None:
    """And one that comes back does, without a new fault: after a reload the newest text counts."""
    installation = scene.server.fault("lose method=OPTIONS count=all")
    assert options(scene) == []
    scene.server.use_features("hold", "lamps")
    assert options(scene) == ["200"]
    assert installation.faults.standing[0].matched == 1
    scene.server.use_features("hold", "lamps", "mishaps")
    assert options(scene) == []


def test_a_fault_that_nobody_has(scene: Scene) -> None:
    with pytest.raises(ValueError, match=r"'vanish' is none of drop, .*, lose, .*, nor has a feature in use a fault of"):
        scene.server.fault("vanish method=OPTIONS")
