"""A call with hold and resume on a network that loses, doubles, delays: it comes about and leaves nothing behind."""

from __future__ import annotations

import pytest

from tests.scenarios.options import Options
from tests.scenarios.patient_phone import PatientPhone
from tests.scenarios.scene import Scene
from tests.scenarios.virtual_network import Rule, losing, perfect, unruly

PATIENCE = 34.0
"""Seconds for one step: a transaction's whole life, 64·T1, and some."""


def until(scene: Scene, phone: PatientPhone, *goals: str) -> None:
    """Let time pass until the phone has reached these goals."""
    began = scene.now()
    while not phone.done.issuperset(goals):
        missing = sorted(set(goals) - phone.done)
        text = f"{phone.name} never reached {missing}, only {sorted(phone.done)}\n\n{scene.network.text()}"
        assert scene.now() - began < PATIENCE, text
        scene.advance(0.05)


def held_call(rule: Rule, link_rule: Rule | None = None) -> Scene:
    """Two phones register and watch themselves, talk, hold, resume and end; then everything is looked over.

    With a rule for its link Communication Manager is on another host.
    """
    scene = Scene(Options(link="udp" if link_rule else "memory"), rule)
    if link_rule is not None:
        scene.network.link_rule = link_rule
    alice = PatientPhone(scene.network, "6001", ("192.0.2.11", 5060))
    bob = PatientPhone(scene.network, "6002", ("192.0.2.12", 5060))
    for phone in (alice, bob):
        phone.register()
        until(scene, phone, "registered")
    alice.watch()
    until(scene, alice, "watching")
    alice.call(bob.aor)
    until(scene, alice, "talking", "sent sendrecv got sendrecv")
    alice.offer("sendonly")
    until(scene, alice, "sent sendonly got recvonly")
    assert "heard sendonly" in bob.done
    until_lamp(scene, alice, "no")
    alice.done.discard("sent sendrecv got sendrecv")
    alice.offer("sendrecv")
    until(scene, alice, "sent sendrecv got sendrecv")
    until_lamp(scene, alice, "yes")
    alice.hang_up()
    until(scene, alice, "over")
    until(scene, bob, "over")
    until_lamp(scene, alice, "")
    scene.quiet()
    for phone in (alice, bob):
        assert phone.layer.transactions() == (0, 0), scene.network.text()
        assert not phone.errors
        assert not [goal for goal in phone.done if goal.startswith(("refused", "no ACK"))], scene.network.text()
    return scene


def until_lamp(scene: Scene, phone: PatientPhone, rendering: str) -> None:
    began = scene.now()
    while not phone.lamps or phone.lamps[-1] != rendering:
        assert scene.now() - began < 2 * PATIENCE, f"the lamp shows {phone.lamps}\n\n{scene.network.text()}"
        scene.advance(0.05)


def datagrams() -> int:
    """How many a call takes when none is lost."""
    return held_call(perfect).network.sent


COUNT = datagrams()


def test_a_call_takes_as_many_datagrams_as_the_ladder_has() -> None:
    assert 45 <= COUNT <= 70


@pytest.mark.parametrize("index", range(COUNT))
def test_every_single_loss(index: int) -> None:
    held_call(lambda number, data: () if number == index else (0.0,))


@pytest.mark.parametrize("index", range(COUNT))
def test_every_single_duplicate(index: int) -> None:
    held_call(lambda number, data: (0.0, 0.3) if number == index else (0.0,))


def test_every_datagram_twice() -> None:
    held_call(lambda number, data: (0.0, 0.0))


@pytest.mark.parametrize("latency", [0.02, 0.3, 0.7])
def test_latency(latency: float) -> None:
    """0.7 s a way: every answer comes later than T1."""
    held_call(lambda number, data: (latency,))


@pytest.mark.parametrize("seed", range(8))
def test_loss_duplicates_and_reordering_by_seed(seed: int) -> None:
    held_call(unruly(seed, lost=0.1, doubled=0.1, jitter=0.2))


def test_the_same_seed_gives_the_same_ladder() -> None:
    first, second = (held_call(unruly(3, lost=0.1, doubled=0.1, jitter=0.2)) for _ in range(2))
    assert first.network.text() == second.network.text()


# ---- the link over the network


def datagrams_on_link() -> int:
    return held_call(perfect, perfect).network.sent_on_link


COUNT_ON_LINK = datagrams_on_link()


def test_a_call_takes_as_many_datagrams_on_the_link_as_the_ladder_has() -> None:
    assert 50 <= COUNT_ON_LINK <= 90


@pytest.mark.parametrize("index", range(COUNT_ON_LINK))
def test_every_single_loss_on_the_link(index: int) -> None:
    held_call(perfect, losing(index))


@pytest.mark.parametrize("seed", range(10))
def test_a_bad_link(seed: int) -> None:
    held_call(perfect, unruly(seed, lost=0.1, doubled=0.1, jitter=0.2))
