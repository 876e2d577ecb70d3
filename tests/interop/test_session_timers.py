"""Session timers with real phones: who dies in a call leaves nothing behind (RFC 4028). The server's interval is short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Hop, Server, wait_until
from tests.interop.sipp import Sipp
from tests.interop.wire import direction, lamp, origin

HOST = "127.0.0.57"
INTERVAL = 3
SETTINGS = f"session_expires = {INTERVAL}\nsession_expires_min = 1\n"

REFRESHES_SELDOM = ("Supported: timer", "Session-Expires: 600;refresher=uac", "Min-SE: 600")
REFRESHED_SELDOM = ("Supported: timer", "Require: timer", "Session-Expires: 600;refresher=uas")
REFRESHES_OFTEN = ("Supported: timer", f"Session-Expires: {INTERVAL};refresher=uac")
UPDATES = "Allow: INVITE, ACK, BYE, UPDATE"


def hops_of(lab: Lab, run: Sipp) -> list[Hop]:
    return lab.server.hops(f"call-id={run.messages()[0][1].call_id}")


def nothing_is_left(lab: Lab, hops: list[Hop], *users: str) -> None:
    """No call stands, and the last that was published for each user is the end of the lamp."""
    assert lab.server.metric("b2bua_calls_active") == 0
    for user in users:
        bodies = [hop.message.body for hop in hops if hop.message.method == "PUBLISH" and f"sip:{user}@" in hop.message.uri]
        assert lamp([body for body in bodies if body][-1]).state == "terminated"


def timed_out(server: Server) -> float:
    return server.metric("b2bua_calls_total", result="timed_out")


def test_a_phone_without_timers_that_dies(lab: Lab) -> None:
    """Communication Manager's re-INVITE has no answer: the other phone gets BYE."""
    a, b = lab.phones(2)
    before = timed_out(lab.server)
    far = lab.start(Callee().ring().accept().pause(20_000), b)
    near = lab.start(Caller(b.user).dial(*REFRESHES_SELDOM).byed(), a)
    wait_until("call up", lambda: bool(far.received("ACK")))
    far.stop()
    near.finish()
    assert "408" in near.received("BYE")[0].get("Reason")
    assert timed_out(lab.server) == before + 1
    hops = hops_of(lab, near)
    refresh = next(hop for hop in hops if hop.way == ("SM", b.user) and hop.message.method == "INVITE" and hop.message.to_tag)
    assert direction(refresh.message.body) == "sendrecv"
    nothing_is_left(lab, hops, a.user, b.user)


@pytest.mark.parametrize("allow", [(), (UPDATES,)], ids=["INVITE", "UPDATE"])
def test_a_phone_that_promised_to_refresh_and_dies(lab: Lab, allow: tuple[str, ...]) -> None:
    a, b = lab.phones(2)
    before = timed_out(lab.server)
    far = lab.start(Callee().ring().accept(*REFRESHED_SELDOM).byed(), b)
    near = lab.start(Caller(b.user).dial(*REFRESHES_OFTEN, *allow).pause(20_000), a)
    wait_until("call up", lambda: bool(far.received("ACK")))
    near.stop()
    far.finish()
    assert timed_out(lab.server) == before + 1
    nothing_is_left(lab, hops_of(lab, far), a.user, b.user)


def test_refreshes_by_update_both_ways(lab: Lab) -> None:
    """The caller's own, answered by Communication Manager; the callee's by Communication Manager."""
    a, b = lab.phones(2)
    caller = Caller(b.user).dial(*REFRESHES_SELDOM, UPDATES).update(*REFRESHES_SELDOM).update(*REFRESHES_SELDOM).byed()
    callee = Callee().ring().accept(UPDATES).updated().updated().bye()
    near, far = lab.call(a, caller, b, callee)
    for answer in [message for message in near.received(status=200) if message.cseq_method == "UPDATE"]:
        assert answer.get("Session-Expires") == "600;refresher=uac" and answer.get("Require") == "timer"
    assert [message.body for message in far.received("UPDATE")] == ["", ""]
    assert not near.received("UPDATE") and not near.received(status=407)[1:]
    nothing_is_left(lab, hops_of(lab, near), a.user, b.user)


def test_too_short_an_interval(lab: Lab) -> None:
    a, b = lab.phones(2)
    near = lab.start(Caller(b.user).invite("Supported: timer", "Session-Expires: 0").refused(422), a)
    near.finish()
    assert near.received(status=422)[0].get("Min-SE") == "90"


# ---- baresip, which knows no session timers


@pytest.fixture
def pair(server: Server, tmp_path: Path) -> Iterator[tuple[Baresip, Baresip]]:
    phones: list[Baresip] = []
    try:
        for _ in range(2):
            user = server.next_user()
            phones.append(Baresip(tmp_path / f"baresip-{user}", server.address, user, server.users[user], HOST))
        for phone in phones:
            phone.registered()
        yield phones[0], phones[1]
    finally:
        for phone in phones:
            phone.close()


def refreshes(server: Server, user: str) -> list[Hop]:
    """Communication Manager's refreshes of this phone that it answered with 200."""
    hops = server.hops(f"user={user}")
    done = {
        (hop.message.call_id, hop.message.cseq)
        for hop in hops
        if hop.way == (user, "SM") and hop.message.status == 200 and hop.message.cseq_method == "INVITE"
    }
    found = [
        hop for hop in hops
        if hop.way == ("SM", user) and hop.message.method == "INVITE" and hop.message.to_tag and not hop.retransmission
    ]  # fmt: skip
    return [hop for hop in found if (hop.message.call_id, hop.message.cseq) in done]


def test_baresip_is_refreshed_on_hold_too_and_a_dead_one_ends_the_call(
    server: Server, lab: Lab, pair: tuple[Baresip, Baresip]
) -> None:
    caller, callee = pair
    before = timed_out(server)
    caller.dial(callee.user)
    callee.expect("CALL_INCOMING")
    callee.command("accept")
    caller.expect("CALL_ESTABLISHED")
    callee.expect("CALL_ESTABLISHED")
    wait_until("refreshed", lambda: all(len(refreshes(server, phone.user)) >= 2 for phone in pair))
    for phone in pair:
        first, second = refreshes(server, phone.user)[:2]
        assert first.message.body == second.message.body and direction(first.message.body) == "sendrecv"
    caller.command("hold")
    wait_until("held", lambda: server.metric("b2bua_calls_active", state="held") == 1)
    held = len(refreshes(server, callee.user)), len(refreshes(server, caller.user))
    wait_until("refreshed on hold", lambda: len(refreshes(server, callee.user)) > held[0] + 1)
    wait_until("refreshed on hold", lambda: len(refreshes(server, caller.user)) > held[1])
    assert {direction(hop.message.body) for hop in refreshes(server, callee.user)[held[0] + 1 :]} == {"sendonly"}
    assert direction(refreshes(server, caller.user)[-1].message.body) == "recvonly"
    versions = {origin(hop.message.body) for hop in refreshes(server, callee.user)}
    assert len(versions) == 2
    assert server.metric("b2bua_calls_active", state="held") == 1
    callee.process.kill()
    caller.expect("CALL_CLOSED")
    assert timed_out(server) == before + 1
    nothing_is_left(lab, server.hops(f"user={caller.user}"), caller.user, callee.user)
