"""Calls with session timers (RFC 4028): what phones say about them, and what they do when Communication Manager refreshes."""

from __future__ import annotations

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message, Request
from tests.scenarios.scene import Scene, invite, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

LIMITS = CallLimits(session_expires=90)
HALF = 45.0
SUPPORTED = "Supported: timer"
UPDATES = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE"

Calls = tuple[ScriptCall, ScriptCall]


def timed_call(scene: Scene, caller: tuple[str, ...] = (), callee: tuple[str, ...] = ()) -> Calls:
    """A call whose INVITE and 200 carry these lines; both phones watch their own lamps."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for phone in (alice, bob):
        watch(phone, phone)
    return between(alice, bob, caller, callee)


def between(alice: ScriptPhone, bob: ScriptPhone, caller: tuple[str, ...], callee: tuple[str, ...]) -> Calls:
    a, b, arrived = invite(alice, bob, None, *caller)
    bob >> b.answer(arrived, 200, b.sdp(), *callee)
    bob << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    return a, b


def refreshed_by_phone(expires: int = 90) -> tuple[str, str]:
    """What a callee's 200 says that refreshes itself."""
    return SUPPORTED, f"Session-Expires: {expires};refresher=uas"


def refreshes_itself(expires: int = 90) -> tuple[str, str]:
    """What a caller's INVITE says that refreshes itself."""
    return SUPPORTED, f"Session-Expires: {expires};refresher=uac"


def take(call: ScriptCall, refresh: Message, *lines: str) -> None:
    """The phone answers Communication Manager's refresh with what it said before."""
    assert isinstance(refresh, Request)
    if refresh.method == "UPDATE":
        call.phone >> call.answer(refresh, 200, "", *lines)
        return
    call.phone >> call.answer(refresh, 200, call.sdp(call._direction), *lines)
    call.phone << "ACK"


def ends_with(call: ScriptCall, text: str) -> None:
    """The server's BYE with this Reason, answered."""
    bye = call.phone << "BYE"
    assert text in (bye.get("Reason") or "")
    call.phone >> call.answer(bye, 200)


def gone(call: ScriptCall) -> None:
    """A BYE to a phone that hears nothing any more."""
    call.phone << "BYE"


def last_description(scene: Scene, call: ScriptCall) -> bytes:
    """The newest description that the server sent this phone."""
    name = call.phone.name
    bodies = [step.message.body for step in scene.network.ladder if step.destination == name and step.message is not None]
    return [body for body in bodies if body.startswith(b"v=0")][-1]


def only_b_is_refreshed(scene: Scene, *callee: str) -> Calls:
    """A call up to Communication Manager's refresh of the callee."""
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"), callee)
    scene.advance(HALF + 0.1)
    return a, b
