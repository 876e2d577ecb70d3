"""The tables that the console shows: who is registered, and why a lamp is lit."""

from __future__ import annotations

from typing import Any

from b2bua.session_manager.standing_events import standing_events
from b2bua.session_manager.standing_registrations import standing_registrations
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, talk, watch


def lamps(scene: Scene) -> dict[str, dict[str, Any]]:
    """By user of the address of record."""
    server = scene.server
    rows = standing_events(server.event_state, server.notifier, server.timers, server.recorder.legs.known_as)
    return {row["aor"].partition(":")[2].partition("@")[0]: row for row in rows}


def test_each_contact_is_a_row(scene: Scene) -> None:
    scene.phone("6002"), scene.phone("6001")
    rows = standing_registrations(scene.server.location, scene.server.location._wall())
    assert [(row["user"], row["contact"], row["answers"]) for row in rows] == [
        ("6001", "sip:6001@192.0.2.11:5060", True), ("6002", "sip:6002@192.0.2.12:5060", True),
    ]  # fmt: skip
    assert all(0 < row["seconds_left"] <= 3600 and row["listener"].startswith("udp:") for row in rows)


def test_why_a_lamp_is_lit(make_scene: MakeScene) -> None:
    scene = make_scene(trace=1000)
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    watch(carol, alice)
    assert lamps(scene)["6001"]["publications"] == []
    a, b = talk(alice, bob)
    hold(a, b)
    scene.advance(2)
    row = lamps(scene)["6001"]
    [publication] = row["publications"]
    [dialog] = publication["dialogs"]
    assert (dialog["state"], dialog["direction"], dialog["local"]["rendering"]) == ("confirmed", "initiator", "no")
    assert dialog["remote"]["identity"] == "sip:6002@example.com" and publication["by"] != "phone"
    assert publication["call"] and publication["seconds_left"] > 0
    [subscription] = row["subscriptions"]
    newest = carol.notified[-1]
    assert (subscription["watcher"], subscription["cseq"], subscription["answer"]) == ("6003", newest.cseq, 200)
    assert f'version="{subscription["version"]}"'.encode() in newest.body
    assert (subscription["under_way"], subscription["waits"], subscription["address"]) == (False, False, "192.0.2.13:5060")
    [other] = lamps(scene)["6002"]["publications"]
    assert other["dialogs"][0]["remote"]["rendering"] == "no" and other["call"] == publication["call"]
    hang_up(a, b)
    scene.advance(2)
    assert lamps(scene)["6001"]["publications"] == [] and "6002" not in lamps(scene)


def test_a_watcher_that_does_not_answer_is_told_of(scene: Scene) -> None:
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    watch(carol, alice)
    scene.network.detach(carol.address)
    a, b = talk(alice, bob)
    scene.advance(2)
    assert lamps(scene)["6001"]["subscriptions"][0]["under_way"]
    scene.advance(33)
    assert lamps(scene)["6001"]["subscriptions"][0]["answer"] == 408
    hang_up(a, b)
    scene.advance(70)
