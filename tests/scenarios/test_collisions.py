"""Both phones hold and resume whenever a seed says so, on a network that is slow and loses: whatever collides, it ends well.

Well means: nobody hears 500 but for a request too many, no mistake of ours, both lamps tell the same, and nothing is left.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.scenarios.options import Options
from tests.scenarios.patient_phone import PatientPhone
from tests.scenarios.scene import Scene
from tests.scenarios.test_loss import until
from tests.scenarios.virtual_network import unruly

SECONDS = 40
"""How long they quarrel."""
ALLOWED = {"refused 491", "refused 500"}


def quarrel(seed: int, lost: float) -> Scene:
    scene = Scene(Options(), unruly(seed, lost=lost, jitter=0.3))
    random = Random(seed)
    phones = [
        PatientPhone(scene.network, "6001", ("192.0.2.11", 5060)),
        PatientPhone(scene.network, "6002", ("192.0.2.12", 5060)),
    ]
    for phone in phones:
        phone.register()
        until(scene, phone, "registered")
        phone.watch()
        until(scene, phone, "watching")
    alice, bob = phones
    alice.call(bob.aor)
    until(scene, alice, "talking")
    for _ in range(SECONDS * 4):
        scene.advance(0.25)
        for phone in phones:
            free = phone.usage.client is None and phone.usage.server is None and not phone.usage.unacknowledged
            if free and random.random() < 0.2:
                phone.offer(random.choice(("sendonly", "sendrecv", "inactive", "recvonly")))
    scene.advance(45)
    refused = {goal for phone in phones for goal in phone.done if goal.startswith(("refused", "no ACK", "over"))}
    assert refused <= ALLOWED, f"{refused}\n\n{scene.network.text()}"
    ours, theirs = (phone.documents[-1].dialogs[0] for phone in phones)
    assert ours.state == theirs.state == "confirmed", scene.network.text()
    mirrored = (theirs.remote.rendering, theirs.local.rendering)
    assert (ours.local.rendering, ours.remote.rendering) == mirrored, scene.network.text()
    alice.hang_up()
    until(scene, alice, "over")
    until(scene, bob, "over")
    scene.quiet()
    for phone in phones:
        assert not phone.errors and phone.layer.transactions() == (0, 0)
    return scene


@pytest.mark.parametrize("seed", range(6))
def test_collisions(seed: int) -> None:
    scene = quarrel(seed, lost=0.0)
    assert scene.count("glare", "refused") + scene.count("glare", "retried") > 0


@pytest.mark.parametrize("seed", range(6))
def test_collisions_with_loss(seed: int) -> None:
    quarrel(seed, lost=0.05)
