"""The gauges of calls, by whatever way a call is held, resumed or ended: counted from what stands, so they cannot drift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.scenarios.gauges import counted, scraped
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    answered,
    hang_up,
    hold,
    invite,
    is_gone,
    pending_hold,
    resume,
    send_offer,
    talk,
)
from tests.scenarios.script_call import ScriptCall

EARLY: Final = {"early": 1, "confirmed": 0, "held": 0}
CONFIRMED: Final = {"early": 0, "confirmed": 1, "held": 0}
HELD: Final = {"early": 0, "confirmed": 0, "held": 1}
NONE: Final = {"early": 0, "confirmed": 0, "held": 0}
Story = Callable[[Scene], Iterator[dict[str, int]]]
"""What happens in a scene; it yields what the gauges must say by then."""


class Onlooker:
    """A rule of the network that carries everything, and looks at the gauges with each message."""

    def __init__(self) -> None:
        self.scene: Scene | None = None
        self.negative: list[dict[str, float]] = []

    def __call__(self, index: int, data: bytes) -> tuple[float, ...]:
        if self.scene is not None:
            now = counted(self.scene.server)
            self.negative += [now] if min(now.values()) < 0 else []
        return (0.0,)


def standing(scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    return talk(scene.phone("6001"), scene.phone("6002"))


def resume_and_bye(scene: Scene) -> Iterator[dict[str, int]]:
    """BYE while the resume is open."""
    a, b = standing(scene)
    yield CONFIRMED
    hold(a, b)
    yield HELD
    send_offer(a, a.sdp("sendrecv"))
    arrived = b.phone << "INVITE a=sendrecv"
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    is_gone(b)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    yield NONE


def refused_hold(scene: Scene) -> Iterator[dict[str, int]]:
    """It shows as held while the far phone is asked."""
    a, b = standing(scene)
    arrived = pending_hold(a, b)
    yield HELD
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    yield CONFIRMED
    hang_up(a, b)
    yield NONE


def refused_resume(scene: Scene) -> Iterator[dict[str, int]]:
    a, b = standing(scene)
    hold(a, b)
    send_offer(a, a.sdp("sendrecv"))
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    yield HELD
    hang_up(a, b)
    yield NONE


def cancelled_call(scene: Scene) -> Iterator[dict[str, int]]:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    yield EARLY
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    yield EARLY
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    yield NONE


def cancel_that_crosses_the_answer(scene: Scene) -> Iterator[dict[str, int]]:
    """The call is answered, and stays."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    answered(a, b, arrived)
    yield CONFIRMED
    alice >> a.cancel()
    alice << "200 CANCEL"
    yield CONFIRMED
    hang_up(a, b)
    yield NONE


def cancelled_hold(scene: Scene) -> Iterator[dict[str, int]]:
    a, b = standing(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")
    yield CONFIRMED
    hang_up(a, b)
    yield NONE


def no_answer(scene: Scene) -> Iterator[dict[str, int]]:
    """408 to the hold, and the end of the call."""
    a, b = standing(scene)
    pending_hold(a, b)
    scene.advance(TIMEOUT - 1.5)
    yield HELD
    scene.advance(1.5)
    a.phone >> a.ack(a.phone << "408 INVITE")
    is_gone(a)
    is_gone(b)
    yield NONE


def unknown_dialog(scene: Scene) -> Iterator[dict[str, int]]:
    """481 to the hold, and the end of the call."""
    a, b = standing(scene)
    b.phone >> b.answer(pending_hold(a, b), 481)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "481 INVITE")
    is_gone(a)
    b.phone >> b.answer(b.phone << "BYE", 481)
    yield NONE


def crossing_byes(scene: Scene) -> Iterator[dict[str, int]]:
    """Of a call that is held, beside one that stands."""
    a, b = standing(scene)
    c, d = talk(scene.phone("6003"), scene.phone("6004"))
    hold(a, b)
    yield {"early": 0, "confirmed": 1, "held": 1}
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    bye = b.phone << "BYE"
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    b.phone >> b.answer(bye, 481)
    yield CONFIRMED
    hang_up(c, d)
    yield NONE


def restart_that_forgets(scene: Scene) -> Iterator[dict[str, int]]:
    """The store promises nothing: the BYEs of the old call take nothing from the counts of the new one."""
    a, b = standing(scene)
    hold(a, b)
    yield HELD
    scene.restart()
    yield NONE
    for call in (a, b):
        call.phone >> call.request("BYE")
        call.phone << "481 BYE"
        yield NONE


def restart_that_remembers(scene: Scene) -> Iterator[dict[str, int]]:
    a, b = standing(scene)
    hold(a, b)
    scene.restart()
    yield HELD
    resume(a, b)
    yield CONFIRMED
    hang_up(a, b)
    yield NONE


STORES: Final[dict[Story, Callable[[], KeptRecords | None]]] = {
    restart_that_forgets: lambda: None,
    restart_that_remembers: KeptRecords,
}
STORIES: Final[tuple[Story, ...]] = (
    resume_and_bye, refused_hold, refused_resume, cancelled_call, cancel_that_crosses_the_answer, cancelled_hold, no_answer,
    unknown_dialog, crossing_byes, *STORES,
)  # fmt: skip


@pytest.mark.bug("mod_prometheus 10")
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_gauges_never_go_negative(make_scene: MakeScene, story: Story) -> None:
    """mod_prometheus 10: whatever ended it, in what is counted and in what a scraper reads."""
    onlooker = Onlooker()
    stores = {name: STORES[story]() for name in ("records", "remote_records")} if story in STORES else {}
    scene = make_scene(rule=onlooker, **stores)
    scene.network.link_rule = onlooker
    onlooker.scene = scene
    number = 0
    for number, expected in enumerate(story(scene), 1):
        gauges = counted(scene.server)
        assert {state: gauges[state] for state in expected} == expected, number
        assert expected["held"] or not gauges["oldest"], number
        assert scraped(scene.server) == gauges, number
    assert number > 0 and not onlooker.negative
