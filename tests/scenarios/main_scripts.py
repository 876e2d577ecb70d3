"""The main scenarios as scripts that do not know what network they run on: virtual, or real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from b2bua.sip.dialog_info import DialogInfo
from b2bua.sip.message import Message, Response
from tests.scenarios.scene import (
    as_it_was,
    hang_up,
    hold,
    invite,
    pending_hold,
    register,
    reinvite,
    resume,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone


class Stage(Protocol):
    """Where a script is played."""

    def phone(self, user: str) -> ScriptPhone:
        """A phone of this user that has not registered."""

    def until(self, phone: ScriptPhone, reached: Callable[[], bool]) -> None:
        """Let time pass until this holds of a phone; an error when it does not come."""


Lamps = list[str]
"""What the lamps say at rest, in the order in which the script looks at them."""
Script = Callable[[Stage, Lamps], None]


def comes(stage: Stage, phone: ScriptPhone, expected: str) -> Message:
    """The next message of a phone, which takes its time: a timer of the server has to run first."""
    stage.until(phone, lambda: any(not isinstance(each, Response) or each.status > 100 for each in phone.inbox))
    return phone << expected


def described(document: DialogInfo) -> str:
    """State and renderings of the one dialog that a document shows."""
    [dialog] = document.dialogs
    return f"{dialog.state} {dialog.local.rendering or '-'}/{dialog.remote.rendering or '-'}"


def rests_at(stage: Stage, lamps: Lamps, wanted: str, *phones: ScriptPhone) -> None:
    """Each phone's own lamp comes to say this."""
    for phone in phones:
        stage.until(phone, lambda phone=phone: bool(phone.notified) and described(phone.lamp) == wanted)  # type: ignore[misc]  # bound at once
        lamps.append(f"{phone.user}: {described(phone.lamp)}")


def _two(stage: Stage) -> tuple[ScriptPhone, ScriptPhone]:
    alice, bob = stage.phone("6001"), stage.phone("6002")
    register(alice)
    register(bob)
    return alice, bob


def _watched(stage: Stage, lamps: Lamps) -> tuple[ScriptCall, ScriptCall]:
    alice, bob = _two(stage)
    for phone in (alice, bob):
        watch(phone, phone)
        rests_at(stage, lamps, "terminated -/-", phone)
    calls = talk(alice, bob)
    rests_at(stage, lamps, "confirmed yes/yes", alice, bob)
    return calls


def _over(stage: Stage, lamps: Lamps, one: ScriptCall, other: ScriptCall) -> None:
    hang_up(one, other)
    rests_at(stage, lamps, "terminated -/-", one.phone, other.phone)


def _held(stage: Stage, lamps: Lamps, holder: ScriptCall, far: ScriptCall) -> None:
    rests_at(stage, lamps, "confirmed no/-", holder.phone)
    rests_at(stage, lamps, "confirmed -/no", far.phone)


def registration(stage: Stage, lamps: Lamps) -> None:
    register(stage.phone("6001"))


def basic_call(stage: Stage, lamps: Lamps) -> None:
    hang_up(*talk(*_two(stage)))


def hold_and_resume(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    hold(a, b)
    _held(stage, lamps, a, b)
    resume(a, b)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    _over(stage, lamps, a, b)


def refused_hold(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    arrived = pending_hold(a, b)
    _held(stage, lamps, a, b)
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    as_it_was(a)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    _over(stage, lamps, a, b)


def cancelled_call(stage: Stage, lamps: Lamps) -> None:
    alice, bob = _two(stage)
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"


def busy(stage: Stage, lamps: Lamps) -> None:
    alice, bob = _two(stage)
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def hold_by_the_callee(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    hold(b, a)
    _held(stage, lamps, b, a)
    resume(b, a)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    _over(stage, lamps, b, a)


def both_hold(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    hold(a, b)
    _held(stage, lamps, a, b)
    reinvite(b, a, "inactive", "inactive")
    rests_at(stage, lamps, "confirmed no/no", a.phone, b.phone)
    reinvite(a, b, "recvonly", "sendonly")
    _held(stage, lamps, b, a)
    resume(b, a)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    _over(stage, lamps, a, b)


def glare(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    arrived = pending_hold(a, b)
    _held(stage, lamps, a, b)
    b.phone >> b.answer(arrived, 491)
    b.phone << "ACK"
    again = comes(stage, b.phone, "INVITE a=sendonly")
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    _over(stage, lamps, a, b)


def cancelled_hold(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    arrived = pending_hold(a, b)
    _held(stage, lamps, a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")
    as_it_was(a)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    _over(stage, lamps, a, b)


def offerless_reinvite(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp())
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv", a.sdp("sendonly"))
    b.phone << "ACK a=sendonly"
    _held(stage, lamps, a, b)
    _over(stage, lamps, a, b)


def hold_by_update(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    for direction, answer in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
        a.phone >> a.request("UPDATE", a.sdp(direction))
        arrived = b.phone << f"INVITE a={direction}"
        b.phone >> b.answer(arrived, 200, b.sdp(answer))
        b.phone << "ACK"
        a.phone << f"200 UPDATE a={answer}"
        if direction == "sendonly":
            _held(stage, lamps, a, b)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    _over(stage, lamps, a, b)


def lost_datagrams(stage: Stage, lamps: Lamps) -> None:
    """Of a hold the 407, the re-INVITE to the far phone, a NOTIFY, the 200 to the holder and its ACK: each comes again."""
    a, b = _watched(stage, lamps)
    a.phone.loses("407")
    a.phone >> a.invite(a.sdp("sendonly"))
    challenge = comes(stage, a.phone, "407 INVITE")
    a.phone >> a.ack(challenge)
    a.phone.loses("NOTIFY")
    b.phone.loses("INVITE")
    a.phone >> a.with_credentials(challenge)
    arrived = comes(stage, b.phone, "INVITE a=sendonly")
    a.phone.loses("200")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    answer = comes(stage, a.phone, "200 INVITE a=recvonly")
    copies = len(a.phone.repeated)
    stage.until(a.phone, lambda: len(a.phone.repeated) > copies)
    a.phone >> a.ack(answer)
    _held(stage, lamps, a, b)
    _over(stage, lamps, a, b)


SCRIPTS: Final[tuple[Script, ...]] = (
    registration, basic_call, refused_hold, cancelled_call, busy, hold_by_the_callee, both_hold, glare, cancelled_hold,
    offerless_reinvite, hold_by_update, lost_datagrams,
)  # fmt: skip
"""All but `hold_and_resume`."""
