"""The nine steps on calls written by hand."""

from __future__ import annotations

from functools import partial

import pytest

from b2bua.sip.response_to import response_to
from b2bua.sip.rlmi import ListState, Resource
from tests.trace.hand_made import CREDENTIALS, document, request, sdp, standing_call


def hold_of(holder: str, far: str) -> list[tuple[int, str]]:
    return [
        (1, f"{holder}>SM INVITE"),
        (2, f"SM>{holder} 407"),
        (3, f"{holder}>SM INVITE"),
        (4, "SM>CM INVITE"),
        (5, "CM>SM PUBLISH"),
        (5, "CM>SM PUBLISH"),
        (6, "CM>SM INVITE"),
        (7, "SM>6003 NOTIFY"),
        (8, f"SM>{far} INVITE"),
        (9, f"{far}>SM 200"),
    ]


@pytest.mark.parametrize(("holder", "far"), [("6001", "6002"), ("6002", "6001")])
def test_hold_by_either_party(holder: str, far: str) -> None:
    call = standing_call()
    call.change(holder, "sendonly")
    assert call.scene.steps() == hold_of(holder, far)


def test_a_notify_about_a_list_is_step_7_where_it_shows_the_hold() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    idle, held = document("6002", "other"), document("6001", call.leg("6001"), local="no")
    for documents in ((idle,), (idle, held)):
        resources = [Resource(f"sip:{number}@example.com", one) for number, one in enumerate(documents)]
        content_type, body = ListState("sip:panel@example.com", 1, False, resources).encode("application/x", "b", "example.com")
        made = request("NOTIFY", "panel", "6003", "sub-list", 3, ("Event", "dialog"), body_type=content_type, body=body)
        made.call = "call-1"
        call.scene.down("6003", made)
    assert [step for step in call.scene.steps() if step[0] == 7] == [(7, "SM>6003 NOTIFY")] * 2


def test_set_up_has_no_steps() -> None:
    assert standing_call().scene.steps() == []


def test_resume_has_no_steps() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    call.change("6001", "sendrecv", lamp="yes", version=3)
    call.notify("6001", "6003", 9, local="no")
    assert call.scene.steps() == hold_of("6001", "6002")


def test_hold_again_after_resume_is_numbered_again() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    call.change("6001", "sendrecv", lamp="yes", version=3)
    call.change("6001", "sendonly", version=4)
    assert call.scene.steps() == hold_of("6001", "6002") * 2


def test_refused_hold_ends_without_step_9_and_takes_the_lamp_back_unnumbered() -> None:
    call = standing_call()
    call.change("6001", "sendonly", far_status=488)
    call.publish("6001", 8, local="yes")
    call.notify("6001", "6003", 8, local="yes")
    assert call.scene.steps() == hold_of("6001", "6002")[:-1]


def test_policy_without_challenge_begins_with_step_3() -> None:
    call = standing_call()
    call.change("6001", "sendonly", ask=partial(call.ask, challenge=False))
    assert call.scene.steps() == hold_of("6001", "6002")[2:]


def test_credentials_in_advance_that_are_challenged_are_step_1() -> None:
    call = standing_call()
    call.change("6001", "sendonly", ask=partial(call.ask, in_advance=True))
    assert call.scene.steps() == hold_of("6001", "6002")


def test_second_round_of_challenges_is_not_numbered() -> None:
    call = standing_call()
    scene = call.scene
    first = call.from_phone("INVITE", "6001", body=sdp("sendonly", 2))
    scene.up("6001", first)
    scene.down("6001", response_to(first, 407))
    again = call.from_phone("INVITE", "6001", CREDENTIALS, body=sdp("sendonly", 2))
    scene.up("6001", again)
    scene.down("6001", response_to(again, 407))
    admitted = call.from_phone("INVITE", "6001", CREDENTIALS, body=sdp("sendonly", 2))
    scene.up("6001", admitted)
    scene.link("SM", "CM", admitted)
    assert [step for step, _ in scene.steps()] == [1, 2, 3, 4]


def test_refresh_while_holding_has_no_steps() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    call.ask("6001", sdp("sendonly", 2))
    assert call.scene.steps() == hold_of("6001", "6002")


def test_offerless_reinvite_has_no_steps() -> None:
    call = standing_call()
    call.ask("6001", b"")
    assert call.scene.steps() == []


def test_hold_by_address_counts() -> None:
    call = standing_call()
    call.ask("6001", sdp("sendrecv", 2).replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0"))
    assert [step for step, _ in call.scene.steps()] == [1, 2, 3, 4]


def test_retry_after_491_is_not_numbered_twice() -> None:
    call = standing_call()
    scene = call.scene
    call.ask("6001", sdp("sendonly", 2))
    call.publish("6001", 2, local="no")
    for status in (491, 200):
        onward = call.to_phone("INVITE", "6002", sdp("sendonly", 2))
        scene.link("CM", "SM", onward)
        scene.down("6002", onward)
        scene.up("6002", response_to(onward, status))
    assert [step for step, _ in scene.steps()] == [1, 2, 3, 4, 5, 6, 8, 9]


def test_retransmissions_are_not_numbered() -> None:
    call = standing_call()
    scene = call.scene
    first = call.from_phone("INVITE", "6001", body=sdp("sendonly", 2))
    challenge = response_to(first, 407)
    for _ in range(2):
        scene.up("6001", first)
        scene.down("6001", challenge)
    assert scene.steps() == [(1, "6001>SM INVITE"), (2, "SM>6001 407")]
    assert [record["retransmission"] for record in scene.records()[-4:]] == [False, False, True, True]


def test_documents_of_another_call_are_no_steps() -> None:
    call = standing_call()
    call.ask("6001", sdp("sendonly", 2))
    call.publish("6001", 2, local="yes")
    call.notify("6001", "6003", 2, local="no")
    assert [step for step, _ in call.scene.steps()] == [1, 2, 3, 4]


def test_bye_ends_the_hold() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    call.scene.up("6001", call.from_phone("BYE", "6001"))
    call.notify("6001", "6003", 9, local="no")
    assert call.scene.steps() == hold_of("6001", "6002")
