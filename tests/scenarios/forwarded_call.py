"""Calls that go elsewhere: settings of users, and what phones say about such calls."""

from __future__ import annotations

from b2bua.sip.message import Message
from tests.scenarios.scene import Scene, called
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

FORWARDED = "Call Is Being Forwarded"
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


def phones(scene: Scene, *users: str) -> list[ScriptPhone]:
    return [scene.phone(user) for user in users]


def has_set(scene: Scene, user: str, **settings: str) -> None:
    """As by `b2bua user set`."""
    for name, value in settings.items():
        scene.server.user_settings.put(user, name, value)
    scene.advance(0)


def dial(phone: ScriptPhone, digits: str, answer: str) -> str:
    """A code is dialled and answered so; the reason phrase."""
    a = called(phone, f"sip:{digits}@example.com")
    final = phone << f"{answer} INVITE"
    phone >> a.ack(final)
    return final.reason  # type: ignore[attr-defined,no-any-return]  # a response has one


def at(phone: ScriptPhone) -> tuple[ScriptCall, Message]:
    """The INVITE that has come to a phone, and its side of the call."""
    arrived = phone << "INVITE a=sendrecv"
    return ScriptCall.of(phone, arrived), arrived


def rings(b: ScriptCall, arrived: Message) -> None:
    """What the caller hears of a second phone may be what it has heard already, so that is not looked at."""
    b.phone >> b.answer(arrived, 180)


def refuses(b: ScriptCall, arrived: Message, status: int, *lines: str) -> None:
    b.phone >> b.answer(arrived, status, "", *lines)
    b.phone << "ACK"


def cancelled(b: ScriptCall, arrived: Message, cause: int) -> None:
    """The phone is told to stop, and does."""
    cancel = b.phone << "CANCEL"
    reason = cancel.get("Reason") or ""
    assert reason.startswith(f"SIP;cause={cause};"), reason
    b.phone >> b.answer(cancel, 200)
    refuses(b, arrived, 487)


def answers(a: ScriptCall, b: ScriptCall, arrived: Message) -> None:
    b.phone >> b.answer(arrived, 200, b.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"


def states(phone: ScriptPhone) -> list[str]:
    return [dialog.state for dialog in phone.lamp.dialogs]
