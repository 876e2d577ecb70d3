"""Two contacts of one user, each a SIPp of its own: both ring, and one answer counts (RFC 3261 §16.7)."""

from __future__ import annotations

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.sipp import Phone, Sipp

HOST = "127.0.0.64"
DECIDES_MS = 400
"""How long the phone that decides rings: the other one rings by then."""


def forked(lab: Lab, caller: Caller, desk: Callee, mobile: Callee, to: Phone, near: Phone) -> tuple[Sipp, Sipp, Sipp]:
    """A call to a user with two registered phones, to the end of all three; SippError when one went off its ladder."""
    other = lab.phone(to.user)
    lab.register(other)
    assert other.port != to.port
    at_desk, at_mobile = lab.start(desk, to), lab.start(mobile, other)
    calling = lab.start(caller, near)
    for run in (calling, at_desk, at_mobile):
        run.finish()
    assert lab.server.metric("b2bua_calls_active") == 0
    return calling, at_desk, at_mobile


def both_rang(*runs: Sipp) -> bool:
    """Each got one INVITE, for its own Contact, and said 180."""
    uris = [invite.uri for run in runs for invite in run.received("INVITE")[:1]]
    rang = [any(message.status == 180 for came, message in run.messages() if not came) for run in runs]
    return len(set(uris)) == len(runs) and all(rang)


def test_one_answers_and_the_other_is_cancelled(lab: Lab) -> None:
    a, b = lab.phones(2)
    near, desk, mobile = forked(
        lab, Caller(b.user).invite().rung(2).connected().pause(200).bye(),
        Callee().ring().pause(DECIDES_MS).accept().byed(),
        Callee().ring(cancelled=True).cancelled(), to=b, near=a,
    )  # fmt: skip
    assert both_rang(desk, mobile)
    assert len(near.received(status=200)) == 2  # of the INVITE and the BYE: one answer only
    assert len(mobile.received("CANCEL")) == 1 and desk.received("CANCEL") == []
    assert mobile.received("ACK")[0].cseq == mobile.received("INVITE")[0].cseq  # of its 487


def test_one_declines_for_all(lab: Lab) -> None:
    """A 6xx ends the search: nobody else is to ring on (RFC 3261 §16.7 step 5)."""
    a, b = lab.phones(2)
    near, desk, mobile = forked(
        lab, Caller(b.user).invite().rung(2).refused(603),
        Callee().ring().pause(DECIDES_MS).refuse(603),
        Callee().ring(cancelled=True).cancelled(), to=b, near=a,
    )  # fmt: skip
    assert both_rang(desk, mobile)
    assert len(mobile.received("CANCEL")) == 1
    assert len(near.received(status=603)) == 1


def test_both_are_busy(lab: Lab) -> None:
    """The first refusal does not end the search, and nobody is cancelled."""
    a, b = lab.phones(2)
    near, desk, mobile = forked(
        lab, Caller(b.user).invite().rung(2).refused(486),
        Callee().ring().refuse(486), Callee().ring().pause(DECIDES_MS).refuse(486), to=b, near=a,
    )  # fmt: skip
    assert both_rang(desk, mobile)
    assert len(near.received(status=486)) == 1
    assert desk.received("CANCEL") == [] and mobile.received("CANCEL") == []


def test_the_caller_gives_up_on_both(lab: Lab) -> None:
    """It hears of each phone in an early dialog of its own."""
    a, b = lab.phones(2)
    near, desk, mobile = forked(
        lab, Caller(b.user).invite().receive(180).receive(180).pause(DECIDES_MS).cancel(),
        Callee().ring(cancelled=True).cancelled(), Callee().ring(cancelled=True).cancelled(), to=b, near=a,
    )  # fmt: skip
    assert both_rang(desk, mobile) and len(near.received(status=487)) == 1


def test_an_answer_that_crosses_its_cancel_is_hung_up(lab: Lab) -> None:
    """The mobile's 200 is acknowledged and its dialog ended (RFC 3261 §13.2.2.4); the caller's call goes on unharmed."""
    a, b = lab.phones(2)
    near, desk, mobile = forked(
        lab, Caller(b.user).invite().rung(2).connected().pause(DECIDES_MS).reinvite("sendonly").reinvite("sendrecv").bye(),
        Callee().ring().pause(DECIDES_MS).accept()
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(),
        Callee().ring(cancelled=True).accept_late(), to=b, near=a,
    )  # fmt: skip
    assert both_rang(desk, mobile)
    came = [message.method for received, message in mobile.messages() if received]
    assert came == ["INVITE", "CANCEL", "ACK", "BYE"]
    [ack, bye] = mobile.received("ACK") + mobile.received("BYE")
    assert ack.get("To") == bye.get("To") and ";tag=" in bye.get("To")  # in the dialog that its 200 made
    assert [message.cseq_method for message in near.received(status=200)] == ["INVITE", "INVITE", "INVITE", "BYE"]
    assert len(desk.received("BYE")) == 1
