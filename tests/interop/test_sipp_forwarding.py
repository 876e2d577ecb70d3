"""Calls that go on to other phones, each a SIPp that minds the order of every message."""

from __future__ import annotations

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN

HOST = "127.0.0.133"
SETTINGS = """
features = ["do_not_disturb", "forwarding", "find_me", "hold", "lamps"]
user_defaults = { forward_no_answer_seconds = "1" }
"""


def dials(lab: Lab, user: str, digits: str) -> None:
    """A code, by a phone of this user at an address of its own."""
    lab.start(Caller(digits).invite().refused(480), lab.phone(user)).finish()


def test_unconditional(lab: Lab) -> None:
    a, b, c = lab.phones(3)
    dials(lab, b.user, f"*72{c.user}")
    lab.call(
        a, Caller(b.user).invite().receive(181).rung(1).connected().reinvite("sendonly").reinvite("sendrecv").bye(),
        c, Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(),
    )  # fmt: skip
    dials(lab, b.user, "*73")
    lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())


def test_busy(lab: Lab) -> None:
    a, b, c = lab.phones(3)
    dials(lab, b.user, f"*90{c.user}")
    busy = lab.start(Callee().ring().refuse(486), b)
    _, there = lab.call(
        a, Caller(b.user).invite().rung(1).receive(181).rung(1).connected().bye(), c, Callee().ring().accept().byed()
    )
    busy.finish()
    [invite] = there.received("INVITE")
    assert invite.get("Diversion") == f"<sip:{b.user}@{DOMAIN}>;reason=user-busy;counter=1"


def test_no_answer(lab: Lab) -> None:
    a, b, c = lab.phones(3)
    dials(lab, b.user, f"*92{c.user}")
    silent = lab.start(Callee().ring(cancelled=True).cancelled(), b)
    near = lab.start(Caller(b.user).invite().rung(1).receive(181).rung(1).connected().bye(), a)
    there = lab.start(Callee().ring().accept().byed(), c)
    for run in (silent, there, near):
        run.finish()
    [cancel] = silent.received("CANCEL")
    assert cancel.get("Reason").startswith("SIP;cause=408;")


def test_the_phone_forwards_itself(lab: Lab) -> None:
    a, b, c = lab.phones(3)
    moved = lab.start(Callee().ring().refuse(302, f"Contact: <sip:{c.user}@{DOMAIN}>"), b)
    lab.call(a, Caller(b.user).invite().rung(1).receive(181).rung(1).connected().bye(), c, Callee().ring().accept().byed())
    moved.finish()


def test_find_me_at_once(lab: Lab) -> None:
    a, b, c, d = lab.phones(4)
    dials(lab, b.user, f"*38{c.user}*{d.user}")
    stopped = [lab.start(Callee().ring(cancelled=True).cancelled(), phone) for phone in (b, c)]
    near = lab.start(Caller(b.user).invite().rung(3).connected().pause(200).bye(), a)
    there = lab.start(Callee().ring().pause(400).accept().byed(), d)
    for run in (*stopped, there, near):
        run.finish()
    reasons = [run.received("CANCEL")[0].get("Reason") for run in stopped]
    assert reasons == ['SIP;cause=200;text="Call completed elsewhere"'] * 2


def test_do_not_disturb(lab: Lab) -> None:
    a, b = lab.phones(2)
    dials(lab, b.user, "*78")
    lab.start(Caller(b.user).invite().refused(486), a).finish()
    dials(lab, b.user, "*79")
    lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())
