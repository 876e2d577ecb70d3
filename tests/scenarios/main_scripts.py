"""The main scenarios as scripts that do not know what network they run on: virtual, or real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from b2bua.sip.dialog_info import DialogInfo
from tests.scenarios.scene import as_it_was, hang_up, hold, invite, pending_hold, register, resume, talk, watch
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


def registration(stage: Stage, lamps: Lamps) -> None:
    register(stage.phone("6001"))


def basic_call(stage: Stage, lamps: Lamps) -> None:
    hang_up(*talk(*_two(stage)))


def hold_and_resume(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    hold(a, b)
    rests_at(stage, lamps, "confirmed no/-", a.phone)
    rests_at(stage, lamps, "confirmed -/no", b.phone)
    resume(a, b)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    hang_up(a, b)
    rests_at(stage, lamps, "terminated -/-", a.phone, b.phone)


def refused_hold(stage: Stage, lamps: Lamps) -> None:
    a, b = _watched(stage, lamps)
    arrived = pending_hold(a, b)
    rests_at(stage, lamps, "confirmed no/-", a.phone)
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    as_it_was(a)
    rests_at(stage, lamps, "confirmed yes/yes", a.phone, b.phone)
    hang_up(a, b)


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


SCRIPTS: Final[tuple[Script, ...]] = (registration, basic_call, hold_and_resume, refused_hold, cancelled_call, busy)
