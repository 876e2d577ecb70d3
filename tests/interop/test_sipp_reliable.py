"""SIPp phones with reliable provisional responses: early media, a hold in it, and what the lamps say (RFC 3262, RFC 3311)."""

from __future__ import annotations

import pytest

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.wire import direction, lamp

HOST = "127.0.0.66"
RELIABLE = ("Supported: 100rel", "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE")


@pytest.mark.parametrize("header", ["Supported: 100rel", "Require: 100rel"])
def test_early_media(lab: Lab, header: str) -> None:
    a, b = lab.phones(2)
    far = lab.start(Callee().progress().pick_up().byed(), b)
    near = lab.start(Caller(b.user).invite(header).progressed().connected().pause(100).bye(), a)
    assert near.finish().failed == far.finish().failed == 0
    numbers = [run.received(status=183)[0].get("RSeq") for run in (near,)] + [
        message.get("RSeq") for came, message in far.messages() if not came and message.status == 183
    ][:1]
    assert numbers[1] == "7" != numbers[0]  # each leg has its own
    assert far.received("PRACK")[0].get("RAck").split()[0] == "7"


def test_hold_in_early_media(lab: Lab) -> None:
    """UPDATE before the answer: passed on, answered, shown by the lamps, and still so when the call is answered."""
    a, b = lab.phones(2)
    far = lab.start(Callee().progress().updated_with("sendonly", "recvonly").pause(200).pick_up().byed(), b)
    calling = Caller(b.user).invite(*RELIABLE).progressed().update_with("sendonly", "recvonly")
    near = lab.start(calling.connected().pause(300).bye(), a)
    assert near.finish().failed == far.finish().failed == 0
    assert direction(far.received("UPDATE")[0].body) == "sendonly"
    hops = lab.server.hops(f"call-id={near.messages()[0][1].call_id}")
    shown = [
        lamp(hop.message.body)
        for hop in hops
        if hop.message.method == "PUBLISH" and f"sip:{a.user}@" in hop.message.uri and hop.message.body
    ]
    assert [(each.state, each.local) for each in shown[-3:]] == [("early", "no"), ("confirmed", "no"), ("terminated", "")]
    answer = next(hop.message for hop in hops if hop.way == ("SM", a.user) and hop.message.status == 200
                  and hop.message.cseq_method == "INVITE")  # fmt: skip
    assert not answer.body  # the callee repeats its first answer, which is out of date
