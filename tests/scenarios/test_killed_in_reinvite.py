"""A hold during which the server dies, once to three times, at each message and commit of it, and is away for a while.

Session Manager and Communication Manager die together, or Session Manager alone. The call stands afterwards and the hold is
answered, unless the phone has heard nothing for 64·T1: then it gives the call up itself (RFC 3261 §17.1.1.2, §12.2.1.2).
"""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from b2bua.sip.message import Response
from tests.scenarios.mortal_scene import PATIENCE, WHAT, Kill, MortalScene
from tests.scenarios.patient_phone import PatientPhone

NUMBERS: Final = {"hear": 5, "commit": 4, "send": 8}
"""How many of each a hold has, and some: which of them are the phones' messages depends on the link."""
DOWN: Final = (0.5, 4.0, 12.0, 25.0)
"""Less than 64·T1: a phone whose 2xx has no ACK for so long ends the call as well (RFC 3261 §13.3.1.4)."""
DOWN_AGAIN: Final = (0.05, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 20.0)
TRIALS: Final = 12
"""Schedules of several deaths a test."""
links = pytest.mark.parametrize("link", ["memory", "udp"], ids=["both die", "Session Manager dies"])
holders = pytest.mark.parametrize("who", ["caller", "callee"])


def held_over(scene: MortalScene, who: str, *kills: Kill) -> None:
    """A hold with these deaths, and what became of it."""
    one, far = (scene.alice, scene.bob) if who == "caller" else (scene.bob, scene.alice)
    heard = len(scene.network.ladder)
    scene.arm(kills)
    one.offer("sendonly")
    scene.live(PATIENCE)
    told = f"{who} {kills}\n\n{scene.network.text()}"
    if gave_up(one):
        assert not final_answers(scene, one, heard), f"it gave up after an answer: {told}"
        return
    for phone in (one, far):
        assert not phone.done & {"over", "no ACK"} and not phone.errors, told
    assert "sent sendonly got recvonly" in one.done, told
    assert scene.calls() == {"early": 0, "confirmed": 0, "held": 1}, told
    scene.arm(())
    for phone, wanted, answer in ((one, "sendrecv", "sendrecv"), (far, "sendonly", "recvonly")):
        scene.forget()
        phone.offer(wanted)
        scene.live(2)
        assert f"sent {wanted} got {answer}" in phone.done, f"{phone.name} {wanted}: {told}"
    scene.forget()
    one.hang_up()
    scene.live(2)
    assert "over" in far.done and scene.calls() == {"early": 0, "confirmed": 0, "held": 0}, told


def gave_up(phone: PatientPhone) -> bool:
    return any(goal.startswith("refused") for goal in phone.done)


def final_answers(scene: MortalScene, phone: PatientPhone, since: int) -> list[str]:
    """What the phone heard to its last INVITE, in its words; nothing where its timer B ran from beginning to end."""
    steps = [step for step in scene.network.ladder[since:] if step.message is not None and step.message.cseq_method == "INVITE"]
    last = max(step.message.cseq for step in steps if step.source == phone.name and step.message is not None)
    return [
        str(step)
        for step in steps
        if step.destination == phone.name and isinstance(step.message, Response) and step.message.cseq == last
        and step.time < phone.gave_up_at
    ]  # fmt: skip


@pytest.mark.row(11)
@links
@holders
@pytest.mark.parametrize("what", WHAT)
def test_one_death(link: str, who: str, what: str) -> None:
    for number in range(1, NUMBERS[what] + 1):
        for down in DOWN:
            held_over(MortalScene(link), who, Kill(what, number, down))


@pytest.mark.row(11)
@pytest.mark.long
@links
@holders
@pytest.mark.parametrize("seed", range(5))
def test_several_deaths(link: str, who: str, seed: int) -> None:
    random = Random(f"{seed} {who}")
    for _ in range(TRIALS):
        kills = []
        for _ in range(random.choice((2, 2, 3))):
            what = random.choice((*WHAT, "rest"))
            kills.append(Kill(what, random.randint(1, NUMBERS.get(what, 60)), random.choice(DOWN_AGAIN)))
        if sum(kill.down for kill in kills) <= DOWN[-1]:
            held_over(MortalScene(link), who, *kills)


@pytest.mark.row(11)
@holders
def test_a_phone_that_nobody_hears_for_64_t1_ends_the_call_itself(who: str) -> None:
    """Its copies leave 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s after the first (timer A): a server that is away for 33 s, or at
    each of these moments, hears none of them."""
    scene = MortalScene()
    one = scene.alice if who == "caller" else scene.bob
    scene.arm([Kill("hear", 1, 33.0)])
    one.offer("sendonly")
    scene.live(PATIENCE)
    assert gave_up(one)
    scene = MortalScene()
    one = scene.alice if who == "caller" else scene.bob
    began = scene.now()
    scene.arm([Kill("hear", 1, 0.3)] * 7)
    one.offer("sendonly")
    scene.live(PATIENCE)
    assert gave_up(one) and scene.deaths == 7
    assert scene.calls() == {"early": 0, "confirmed": 1, "held": 0}, began
