"""A call is set up and taken down: every way that RFC 3261 §13 to §16 knows."""

from __future__ import annotations

from tests.scenarios.scene import Scene, hang_up, talk


def test_call_that_is_answered_and_ended_by_the_caller(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(a, b)


def test_call_that_the_callee_ends(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(b, a)
