"""A phone dies in a call, the server starts anew, session timers differ: with PJSIP and baresip. The interval is short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import USERS
from tests.interop.mixed_call import BARESIP, PJSIP, MixedCall
from tests.interop.nine_steps import nine_steps
from tests.interop.phones import Phones
from tests.interop.server import Hop, Server, wait_until
from tests.interop.wire import lamp, parameter

HOST = "127.0.0.62"
LISTEN = (f"tcp:{HOST}",)
INTERVAL = 3
SETTINGS = f"session_expires = {INTERVAL}\nsession_expires_min = 1\n"


@pytest.fixture
def phones(server: Server, tmp_path: Path) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path, HOST, stack)


def ends_of_lamps(hops: list[Hop], *users: str) -> bool:
    """Whether the last that was published for each user is the end."""
    for user in users:
        bodies = [hop.message.body for hop in hops if hop.message.method == "PUBLISH" and f"sip:{user}@" in hop.message.uri]
        if lamp([body for body in bodies if body][-1]).state != "terminated":
            return False
    return True


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("dying", [PJSIP, BARESIP])
def test_a_phone_that_dies_in_a_call(server: Server, phones: Phones, transport: str, dying: str) -> None:
    """Killed while it is held: Communication Manager's refresh shows it, and the other phone gets BYE."""
    before = server.metric("b2bua_calls_total", result="timed_out")
    call = MixedCall(server, phones.new_pjsip(transport), phones.new_baresip(transport))
    call.set_up(PJSIP)
    call.press(call.far(dying), "hold")
    wait_until("held", lambda: server.metric("b2bua_calls_active", state="held") == 1)
    if dying == PJSIP:
        call.pjsip.process.kill()
        call.baresip.expect("CALL_CLOSED")
    else:
        call.baresip.process.kill()
        call.pjsip.state("disconnected")
    assert server.metric("b2bua_calls_active") == 0
    assert server.metric("b2bua_calls_total", result="timed_out") == before + 1
    assert ends_of_lamps(call.hops(), call.pjsip.user, call.baresip.user)


def test_refreshes_by_update_and_the_hold_stays(server: Server, phones: Phones) -> None:
    """PJSIP without session timers is refreshed by Communication Manager: by UPDATE, which it allows, also on hold."""
    call = MixedCall(server, phones.new_pjsip("udp"), phones.new_baresip("tcp"))
    user = call.pjsip.user

    def refreshed() -> int:
        answers = [hop.message for hop in call.hops() if hop.way == (user, "SM") and hop.message.status == 200]
        return len([answer for answer in answers if answer.cseq_method == "UPDATE"])

    call.set_up(PJSIP)
    wait_until("refreshed", lambda: refreshed() > 0)
    call.press(PJSIP, "hold")
    call.pjsip.media("local hold")
    before = refreshed()
    wait_until("refreshed on hold", lambda: refreshed() > before + 1)
    assert call.pjsip.call.media == "local hold"
    assert call.lamps(PJSIP)[0] == "no"
    call.hang_up(PJSIP)


@pytest.mark.parametrize("caller", [PJSIP, BARESIP])
def test_intervals_that_pjsip_takes(server: Server, phones: Phones, caller: str) -> None:
    """PJSIP wants 90 seconds at least: as caller it says so, as callee it answers 422 first, and is asked again with that."""
    call = MixedCall(server, phones.new_pjsip("udp", 90), phones.new_baresip("udp"))
    user = call.pjsip.user
    call.set_up(caller)
    mine = [hop for hop in call.hops() if user in hop.way]
    (answer,) = [hop.message for hop in mine if hop.message.status == 200 and hop.message.cseq_method == "INVITE"]
    assert answer.get("Session-Expires").startswith("90;refresher=")
    refused = [hop for hop in mine if hop.message.status == 422]
    assert [hop.message.get("Min-SE") for hop in refused] == ([] if caller == PJSIP else ["90"])
    call.hang_up(caller)


def test_registrations_outlive_a_restart(tmp_path: Path) -> None:
    """sqlite: the phones are called after a restart without a new REGISTER; TCP finds the phone that listens there."""
    options = {"store": f"sqlite:{tmp_path}/pbx.db", "more": LISTEN}
    server = Server(tmp_path, HOST, USERS, **options)  # type: ignore[arg-type]
    with ExitStack() as stack:
        stack.callback(lambda: server.kill())
        phones = Phones(server, tmp_path, HOST, stack)
        pjsip, baresip = phones.new_pjsip("udp"), phones.new_baresip("udp")
        assert server.stop() == 0
        server = Server(tmp_path, HOST, USERS, port=server.port, **options)  # type: ignore[arg-type]
        assert not server.hops(f"user={pjsip.user}")
        for caller in (BARESIP, PJSIP):
            call = MixedCall(server, pjsip, baresip)
            call.set_up(caller)
            call.hold(caller)
            nine_steps(call.hops(), call.user(caller), call.user(call.far(caller)), None)
            call.hang_up(caller)
        asked = {hop.message.cseq_method for hop in server.hops() if hop.message.headers}
        assert "INVITE" in asked and "REGISTER" not in asked
        server.check_healthy()
        assert server.stop() == 0


def test_calls_with_sha_256_alone(tmp_path: Path) -> None:
    """PJSIP answers SHA-256 (RFC 7616, RFC 8760), in REGISTER, INVITE and the re-INVITE of a hold."""
    (tmp_path / "pbx.toml").write_text('digest_algorithms = ["SHA-256"]\n')
    server = Server(tmp_path, HOST, USERS, options=("--config", str(tmp_path / "pbx.toml")))
    with ExitStack() as stack:
        stack.callback(server.kill)
        phones = Phones(server, tmp_path, HOST, stack)
        caller, callee = phones.new_pjsip("udp"), phones.new_pjsip("udp")
        caller.dial(callee.user)
        callee.state("early")
        callee.command("answer")
        caller.state("confirmed")
        caller.hears()
        caller.command("hold")
        caller.media("local hold")
        callee.media("remote hold")
        callee.command("hangup")
        caller.state("disconnected")
        challenges = [hop.message for hop in server.hops() if hop.message.status in (401, 407)]
        assert {message.cseq_method for message in challenges} == {"REGISTER", "INVITE"}
        for message in challenges:
            (challenge,) = message.all("WWW-Authenticate") + message.all("Proxy-Authenticate")
            assert parameter(challenge, "algorithm") == "SHA-256"
        server.check_healthy()
