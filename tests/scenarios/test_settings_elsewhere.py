"""What users have switched on at a feature server elsewhere: it stands, whichever of the two processes dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.scenarios.forwarded_call import answers, at, dial, phones
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, called, hang_up, register_again, talk
from tests.scenarios.script_phone import ScriptPhone

FEATURES = ("do_not_disturb", "forwarding", "hold", "lamps")
RESTARTS: dict[str, Callable[[Scene], None]] = {
    "Session Manager": Scene.restart_session_manager,
    "Communication Manager": Scene.restart_communication_manager,
    "both": Scene.restart,
}
whoever = pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS)


@pytest.fixture(params=["udp", "tcp"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    records = {"records": KeptRecords(), "remote_records": KeptRecords()}
    made = Scene(Options(**records, features=FEATURES, link=request.param, heartbeat=5.0))  # type: ignore[arg-type]  # both
    made.advance(0.1)
    yield made
    made.quiet()


def over(scene: Scene, restart: Callable[[Scene], None], cseq: int, *registered: ScriptPhone) -> None:
    scene.advance(1)  # the lamps of who has dialled are out
    restart(scene)
    scene.advance(5.1)  # the heartbeat tells who lives
    for phone in registered:
        register_again(phone, cseq)


def is_not_rung(caller: ScriptPhone, callee: ScriptPhone) -> None:
    a = called(caller, callee.aor)
    caller >> a.ack(caller << "486 INVITE")
    callee.hears_nothing()


def is_forwarded(caller: ScriptPhone, dialled: ScriptPhone, to: ScriptPhone) -> None:
    a = called(caller, dialled.aor)
    caller << "181 INVITE"
    c, arrived = at(to)
    answers(a, c, arrived)
    hang_up(a, c)
    dialled.hears_nothing()


@pytest.mark.row(11)
@whoever
def test_do_not_disturb(scene: Scene, restart: Callable[[Scene], None]) -> None:
    alice, bob = phones(scene, "6001", "6002")
    assert dial(bob, "*78", "480") == "Do Not Disturb On"
    over(scene, restart, 11, alice, bob)
    is_not_rung(alice, bob)
    assert dial(bob, "*79", "480") == "Do Not Disturb Off"
    over(scene, restart, 21, alice, bob)
    hang_up(*talk(alice, bob))


@pytest.mark.row(11)
@whoever
def test_forwarding(scene: Scene, restart: Callable[[Scene], None]) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    assert dial(bob, "*726003", "480") == "Forwarding To 6003"
    over(scene, restart, 11, alice, bob, carol)
    is_forwarded(alice, bob, carol)
    assert dial(bob, "*73", "480") == "Forwarding Off"
    over(scene, restart, 21, alice, bob)
    hang_up(*talk(alice, bob))
