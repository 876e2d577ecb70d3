"""The matrix of challenges: every method in and out of dialog, each status, set for all users or for one.

A phone that knows nothing of a challenge (drachtio-server 190: BYE; SIP.js 774: re-INVITE) is given exactly that one.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from b2bua.sip.message import Message, Request, Response
from tests.scenarios.scene import MakeScene, hang_up, subscribe_text, talk
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

STATUS: Final = ("401", "407", "none")
IN_DIALOG: Final = ("re-INVITE", "UPDATE", "BYE", "INFO", "PRACK", "MESSAGE", "REFER", "OPTIONS")
OUT_OF_DIALOG: Final = ("INVITE", "PUBLISH", "OPTIONS", "MESSAGE", "REFER", "SUBSCRIBE")
LINES: Final = {"PRACK": "RAck: 1 1 INVITE", "REFER": "Refer-To: <sip:6003@example.com>"}


def setting(method: str, status: str, whose: str) -> dict[str, Any]:
    """`challenge` for all, `user_challenge` for one user."""
    return {"challenge": {method: status}} if whose == "all" else {"user_challenge": {whose: {method: status}}}


def sent(call: ScriptCall, method: str, *lines: str) -> None:
    if method == "re-INVITE":
        call.phone >> call.offer("sendonly", *lines)
    else:
        more = (LINES[method],) if method in LINES else ()
        call.phone >> call.request(method, "", *more, *lines)


def next_response(call: ScriptCall, far: ScriptCall | None = None) -> Message:
    """What the phone gets, once the other one has said 200 to whatever reached it."""
    phone = call.phone
    while far is not None and far.phone.inbox:
        arrived = far.phone.inbox.popleft()
        if isinstance(arrived, Request) and arrived.method != "ACK":
            far.phone >> far.answer(arrived, 200, far.sdp("recvonly") if arrived.method == "INVITE" else "")
    phone._pass_over_100()
    if not phone.inbox:
        phone.fail("wanted a response, none came")
    response = phone.inbox.popleft()
    if response.cseq_method == "INVITE":
        phone >> call.ack(response)
    return response


def status_of(response: Message) -> int:
    assert isinstance(response, Response)
    return response.status


def is_challenge(response: Message, status: str) -> None:
    """This status, with its own header and no other."""
    asks, other = ("WWW-Authenticate", "Proxy-Authenticate")[:: 1 if status == "401" else -1]
    assert (str(status_of(response)), response.has(asks), response.has(other)) == (status, True, False)


def in_dialog(call: ScriptCall, far: ScriptCall, method: str, status: str) -> None:
    """One cell: the request, challenged so or not at all; with credentials it goes through."""
    sent(call, method)
    response = next_response(call, far)
    if status != "none":
        is_challenge(response, status)
        name = "INVITE" if method == "re-INVITE" else method
        sent(call, method, call.phone.credentials(response, name, call.target))
        response = next_response(call, far)
    assert status_of(response) not in (401, 407)
    far.phone.inbox.clear()


@pytest.mark.bug("SIP.js 774")
@pytest.mark.bug("drachtio-server 190")
@pytest.mark.parametrize("whose", ["all", "6001"])
@pytest.mark.parametrize("status", STATUS)
@pytest.mark.parametrize("method", IN_DIALOG)
def test_in_dialog(make_scene: MakeScene, method: str, status: str, whose: str) -> None:
    """SIP.js 774 is re-INVITE, drachtio-server 190 is BYE."""
    scene = make_scene(**setting(method, status, whose))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    in_dialog(a, b, method, status)
    if method != "BYE":
        hang_up(a, b)


@pytest.mark.parametrize("method", ["re-INVITE", "UPDATE", "BYE", "INFO"])
def test_in_dialog_for_the_called_user(make_scene: MakeScene, method: str) -> None:
    """The called phone's own requests in the call: From is its user there."""
    scene = make_scene(**setting(method, "401", "6002"))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    in_dialog(b, a, method, "401")
    if method != "BYE":
        hang_up(a, b)


@pytest.mark.parametrize(("method", "usual"), [("re-INVITE", "407"), ("BYE", "none"), ("INFO", "none")])
def test_in_dialog_nobody_else_notices(make_scene: MakeScene, method: str, usual: str) -> None:
    scene = make_scene(**setting(method, "401", "6002"))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    in_dialog(a, b, method, usual)
    if method != "BYE":
        hang_up(a, b)


def out_of_dialog(phone: ScriptPhone, callee: str, method: str, *lines: str) -> tuple[ScriptCall, Message]:
    call = ScriptCall(phone, callee)
    if method == "INVITE":
        phone >> call.invite(call.sdp(), *lines)
    elif method == "SUBSCRIBE":
        phone >> subscribe_text(phone, callee, *lines, expires=0, dialog=call)
    else:
        sent(call, method, *lines)
    return call, next_response(call)


@pytest.mark.parametrize("whose", ["all", "6001"])
@pytest.mark.parametrize("status", STATUS)
@pytest.mark.parametrize("method", OUT_OF_DIALOG)
def test_out_of_dialog(make_scene: MakeScene, method: str, status: str, whose: str) -> None:
    """To a user without a phone: what passes is answered by the server itself."""
    scene = make_scene(**setting(method, status, whose))
    alice = scene.phone("6001", registered=False)
    call, response = out_of_dialog(alice, "sip:6002@example.com", method)
    if status != "none":
        is_challenge(response, status)
        credentials = alice.credentials(response, method, call.target)
        call, response = out_of_dialog(alice, "sip:6002@example.com", method, credentials)
    assert status_of(response) not in (401, 407)


@pytest.mark.parametrize("whose", ["all", "6001"])
@pytest.mark.parametrize("status", STATUS)
def test_refresh_of_a_subscription(make_scene: MakeScene, status: str, whose: str) -> None:
    scene = make_scene(**setting("SUBSCRIBE", status, whose))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = ScriptCall(alice, bob.aor)
    for expires in (600, 0):
        alice >> subscribe_text(alice, bob.aor, expires=expires, dialog=call)
        answer = next_response(call)
        if status != "none":
            is_challenge(answer, status)
            credentials = alice.credentials(answer, "SUBSCRIBE", bob.aor)
            alice >> subscribe_text(alice, bob.aor, credentials, expires=expires, dialog=call)
            answer = next_response(call)
        assert status_of(answer) == 200
        call.learn(answer)


@pytest.mark.parametrize("whose", ["all", "6001"])
@pytest.mark.parametrize("status", ["401", "407"])
def test_register(make_scene: MakeScene, status: str, whose: str) -> None:
    """REGISTER is always challenged, with either status; whose it is, its To says."""
    scene = make_scene(**setting("REGISTER", status, whose))
    alice = scene.phone("6001", registered=False)
    alice >> register_text(alice, 1)
    challenge = alice << f"{status} REGISTER"
    is_challenge(challenge, status)
    alice >> register_text(alice, 2, alice.credentials(challenge, "REGISTER", "sip:example.com"))
    alice << "200 REGISTER"


def test_the_users_own_row_stands_above_the_row_of_all(make_scene: MakeScene) -> None:
    scene = make_scene(challenge={"BYE": "407", "INFO": "407"}, user_challenge={"6001": {"BYE": "none"}})
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    in_dialog(a, b, "INFO", "407")
    in_dialog(a, b, "BYE", "none")


def test_another_domain_in_from_is_nobody_with_a_row_of_his_own(make_scene: MakeScene) -> None:
    scene = make_scene(user_challenge={"6001": {"MESSAGE": "none"}})
    alice = scene.phone("6001", registered=False)
    alice.aor = "sip:6001@example.net"
    is_challenge(out_of_dialog(alice, "sip:6002@example.com", "MESSAGE")[1], "407")


@pytest.mark.parametrize("sender", ["<tel:6001>", "<sip:example.com>", "<sip:6001@[>"])
def test_a_from_without_a_user_has_the_row_of_all(make_scene: MakeScene, sender: str) -> None:
    scene = make_scene(user_challenge={"6001": {"MESSAGE": "none"}})
    alice = scene.phone("6001", registered=False)
    call = ScriptCall(alice, "sip:6002@example.com")
    call.local = sender
    sent(call, "MESSAGE")
    is_challenge(next_response(call), "407")


def test_a_stranger_has_no_identity_where_none_is_asked_for(make_scene: MakeScene) -> None:
    """`none` lets anybody send under that name: nothing is asserted of him (RFC 3325 §5)."""
    scene = make_scene(**setting("INVITE", "none", "6001"))
    mallory, bob = scene.phone("6003", registered=False), scene.phone("6002")
    mallory.aor = "sip:6001@example.com"
    call = ScriptCall(mallory, bob.aor)
    mallory >> call.invite(call.sdp())
    arrived = bob << "INVITE"
    assert not any(request.has("P-Asserted-Identity") for request in (arrived, *scene.linked("SM", "CM", "INVITE")))
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    mallory >> call.ack(mallory << "486 INVITE")


def test_a_reinvite_by_401_is_still_bound_to_its_dialog(make_scene: MakeScene) -> None:
    """Which status it is changes nothing of `challenge_reinvite = "always"`: a nonce is good once."""
    scene = make_scene(**setting("re-INVITE", "401", "6001"))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    sent(a, "re-INVITE")
    challenge = next_response(a, b)
    authorization = a.phone.credentials(challenge, "INVITE", a.target)
    sent(a, "re-INVITE", authorization)
    assert status_of(next_response(a, b)) == 200
    b.phone.inbox.clear()
    a.phone >> a.offer("sendrecv", a.phone.credentials(challenge, "INVITE", a.target, nc=2))
    again = next_response(a, b)
    is_challenge(again, "401")
    assert "stale=true" in again.get("WWW-Authenticate")
    hang_up(a, b)
