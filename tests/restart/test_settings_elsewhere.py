"""What users have switched on, at Communication Manager in a process of its own, over `kill -9` of either process or of both."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.restart.call import Leg
from tests.restart.cells import taken, within
from tests.restart.matrix import USERS
from tests.restart.phone import Phone
from tests.restart.test_elsewhere import PHONES, Couple


async def dials(phone: Phone, code: str) -> None:
    """A feature code: confirmed by the text of a 480."""
    leg = phone.leg(code)
    assert await within(f"the answer to {code}", leg.dial()) == 480


async def is_not_rung(caller: Phone, callee: Phone) -> None:
    assert await within("486", caller.leg(callee.user).dial()) == 486
    assert callee.incoming.empty()


async def reaches(caller: Phone, dialled: str, callee: Phone) -> None:
    """A call that arrives there, answered and ended."""
    a = caller.leg(dialled)
    dialling = asyncio.create_task(a.dial())
    b: Leg = await within(f"a call to {dialled} at {callee.user}", callee.incoming.get())
    b.answer()
    assert await within("200", dialling) == 200
    assert await within("the answer to BYE", a.bye()) == 200
    await within("BYE", b.ended.wait())


async def settings(couple: Couple, who: str) -> None:
    users = list(USERS.items())[:3]
    address = (couple.server.host, couple.server.port)
    alice, bob, carol = (Phone(*user, address, PHONES) for user in users)
    try:
        for phone in (alice, bob, carol):
            await phone.open()
            await taken("REGISTER", phone.register)
        await dials(bob, "*78")
        await dials(carol, f"*72{alice.user}")
        await asyncio.to_thread(couple.dies, who)
        await is_not_rung(alice, bob)
        await reaches(bob, carol.user, alice)
        await dials(bob, "*79")
        await dials(carol, "*73")
        await asyncio.to_thread(couple.dies, who)
        await reaches(alice, bob.user, bob)
        await reaches(alice, carol.user, carol)
        broken = [text for phone in (alice, bob, carol) for text in phone.broken]
        assert not broken, "; ".join(broken)
    finally:
        await asyncio.gather(*(phone.close() for phone in (alice, bob, carol)), return_exceptions=True)


@pytest.mark.parametrize("who", ["Session Manager", "Communication Manager", "Session and Communication Manager"])
def test_forwarding_and_do_not_disturb_stay(tmp_path: Path, who: str) -> None:
    couple = Couple(tmp_path, "udp")
    try:
        asyncio.run(settings(couple, who))
        for log in (couple.server.log_text(), couple.elsewhere.log_text()):
            assert "Traceback" not in log and "internal error" not in log
    finally:
        couple.close()
