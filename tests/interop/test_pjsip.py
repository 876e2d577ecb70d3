"""PJSIP and baresip call each other over UDP and TCP, and hold: by either, by both, again, at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.lab import Lab
from tests.interop.mixed_call import BARESIP, PJSIP, MixedCall
from tests.interop.nine_steps import nine_steps
from tests.interop.phones import Phones
from tests.interop.pjsip import PhoneDied, Pjsip
from tests.interop.script import Caller
from tests.interop.server import Server, wait_until
from tests.interop.wire import lamp

HOST = "127.0.0.61"
LISTEN = (f"tcp:{HOST}",)
SETTINGS = "session_expires = 90\n"

MIXES = [("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp"), ("tcp", "udp")]
"""The caller's transport, the callee's."""


@pytest.fixture(scope="module")
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path_factory.mktemp("phones"), HOST, stack)


@pytest.fixture
def call(request: pytest.FixtureRequest, server: Server, phones: Phones) -> Iterator[MixedCall]:
    """The phones of a call; the test's `mix` and `caller` say over which transports."""
    near, far = request.getfixturevalue("mix")
    mine, others = (near, far) if request.getfixturevalue("caller") == PJSIP else (far, near)
    made = MixedCall(server, phones.pjsip(mine), phones.baresip(others))
    yield made
    if getattr(request.node, "failed", False):
        print(*made.hops(), made.pjsip.said(), made.baresip.said(), sep="\n", file=sys.stderr)
    made.end()


@pytest.fixture(scope="module", autouse=True)
def long_call(phones: Phones) -> tuple[Pjsip, Pjsip]:
    """Two PJSIP phones with session timers of the least length that they let one set; their call stands from here on."""
    caller, callee = phones.pjsip("udp", 90), phones.pjsip("tcp", 90)
    caller.dial(callee.user)
    callee.state("early")
    callee.command("answer")
    caller.state("confirmed")
    return caller, callee


mixes = pytest.mark.parametrize("mix", MIXES, ids="-".join)
callers = pytest.mark.parametrize("caller", [PJSIP, BARESIP], ids=lambda name: f"{name}-calls")


def check_held(call: MixedCall, holder: str) -> None:
    """The held one sends nothing, and no more does baresip when it holds."""
    call.pjsip.hears_nothing()
    if holder == BARESIP:
        call.pjsip.says_nothing()
    assert call.agreed(holder) == "sendonly"
    assert call.server.metric("b2bua_calls_active", state="held") == 1


def check_talking(call: MixedCall) -> None:
    call.pjsip.hears()
    call.pjsip.says()
    assert {call.agreed(PJSIP), call.agreed(BARESIP)} == {"sendrecv"}
    assert call.lamps(PJSIP) == call.lamps(BARESIP) == ("yes", "yes")


@mixes
@callers
def test_hold(call: MixedCall, mix: tuple[str, str], caller: str) -> None:
    """By the caller, then by the callee, whose own hold is challenged on its leg; the caller's hold again; the end."""
    callee = call.far(caller)
    call.set_up(caller)
    for holder, number in ((caller, 0), (callee, 0), (caller, 1)):
        call.hold(holder)
        check_held(call, holder)
        nine_steps(call.hops(), call.user(holder), call.user(call.far(holder)), None, number)
        call.resume(holder)
        check_talking(call)
    call.hang_up(callee)
    assert (call.transports(caller), call.transports(callee)) == ({mix[0]}, {mix[1]})


@pytest.mark.parametrize(("mix", "first"), list(zip(MIXES, (PJSIP, BARESIP) * 2, strict=True)))
@pytest.mark.parametrize("caller", [PJSIP])
def test_both_hold(call: MixedCall, mix: tuple[str, str], caller: str, first: str) -> None:
    """One holds, then the other too; each takes back its own, and media flow only at the end."""
    second = call.far(first)
    call.set_up(caller)
    call.hold(first)
    call.hold(second)
    assert (call.lamps(first), call.lamps(second)) == (("no", "no"), ("no", "no"))
    call.pjsip.hears_nothing()
    call.resume(first)
    check_held(call, second)
    call.resume(second)
    check_talking(call)
    call.hang_up(second)


@pytest.mark.parametrize("mix", MIXES[:2], ids="-".join)
@pytest.mark.parametrize("caller", [PJSIP])
def test_both_at_once(call: MixedCall, mix: tuple[str, str], caller: str) -> None:
    """Both keys at the same moment. What is lost in the glare (RFC 3261 §14.1) depends on the moment, as neither program
    always tries again; but the lamps say what PJSIP says, and the call lives until one hangs up."""
    call.set_up(caller)
    call.press(BARESIP, "hold")
    # PJSIP says no by itself when the other's re-INVITE is already there.
    call.pjsip.command("hold_or_not")

    def lamps_are_true() -> bool:
        (mine, others), media = call.lamps(PJSIP), call.pjsip.call.media
        return {"local hold": mine == "no", "remote hold": mine != "no" and others == "no"}.get(media, False)

    wait_until("one hold at least, and true lamps", lambda: call.is_quiet() and lamps_are_true())
    call.hang_up(PJSIP)


@pytest.mark.parametrize("mix", [("tcp", "udp")], ids="-".join)
@pytest.mark.parametrize("caller", [PJSIP])
def test_a_third_sees_the_lamp(call: MixedCall, lab: Lab, mix: tuple[str, str], caller: str) -> None:
    """SIPp watches PJSIP: its own hold, pressed twice, then the other's."""
    (watcher,) = lab.phones(1)
    watch = lab.start(Caller(call.pjsip.user).subscribe().answer_notifies(), watcher)

    def shows(state: str, local: str = "", remote: str = "") -> None:
        wanted = (state, local, remote)

        def newest() -> tuple[str, str, str]:
            found = lamp(watch.received("NOTIFY")[-1].body)
            return found.state, found.local, found.remote

        wait_until(f"the lamp {wanted}", lambda: newest() == wanted)

    wait_until("first NOTIFY", lambda: bool(watch.received("NOTIFY")))
    call.set_up(caller)
    shows("confirmed", "yes", "yes")
    call.hold(PJSIP)
    shows("confirmed", "no")
    call.press(PJSIP, "hold")  # the same once more is between PJSIP and the server alone
    wait_until("answered", lambda: call.acknowledged() == 5 and call.is_quiet())
    call.press(PJSIP, "resume")
    call.pjsip.media("active")
    shows("confirmed", "yes", "yes")
    call.press(BARESIP, "hold")
    call.pjsip.media("remote hold")
    shows("confirmed", "", "no")
    call.hang_up(PJSIP)
    shows("terminated")


@pytest.mark.parametrize("answering", [PJSIP, BARESIP])
def test_two_phones_of_one_user(server: Server, phones: Phones, answering: str) -> None:
    """Both ring, one answers, the other is cancelled; then they talk and hold."""
    caller, (pjsip, baresip) = phones.pjsip("udp"), phones.twins()
    caller.dial(pjsip.user)
    pjsip.state("early")
    baresip.expect("CALL_INCOMING")
    if answering == PJSIP:
        pjsip.command("answer")
        baresip.expect("CALL_CLOSED")
    else:
        baresip.command("accept")
        pjsip.state("disconnected")
        assert pjsip.call.status == 487
    caller.state("confirmed")
    caller.hears()
    caller.command("hold")
    caller.media("local hold")
    if answering == PJSIP:
        pjsip.media("remote hold")
        pjsip.says_nothing()
    caller.hears_nothing()
    caller.command("hangup")
    if answering == PJSIP:
        pjsip.state("disconnected")
    else:
        baresip.expect("CALL_CLOSED")
    hops = server.hops(f"call-id={caller.call.call_id}")
    assert len([hop for hop in hops if hop.source == "SM" and hop.message.method == "CANCEL"]) == 1


def test_a_crash_of_the_library_is_told(phones: Phones) -> None:
    """Not of the server, but of these tests: a phone that is gone fails its test, by name, and no other."""
    phone = phones.pjsip("tcp")
    phone.process.kill()
    with pytest.raises(PhoneDied, match="SIGKILL"):
        phone.command("calls")
    assert phones.pjsip("tcp").command("registration") == 200


def test_session_refreshes_of_pjsip(server: Server, long_call: tuple[Pjsip, Pjsip]) -> None:
    """PJSIP refreshes by UPDATE after half of its 90 seconds: the caller on its leg, Communication Manager on the other's
    or its phone itself. The last test of the module: its call stands since the first."""
    caller, callee = long_call

    def refreshed(user: str) -> bool:
        hops = server.hops(f"call-id={caller.call.call_id}")
        done = [hop for hop in hops if hop.message.status == 200 and hop.message.cseq_method == "UPDATE" and user in hop.way]
        return bool(done) and all("refresher" in hop.message.get("Session-Expires") for hop in done)

    wait_until("refreshes", lambda: refreshed(caller.user) and refreshed(callee.user), 60.0)
    caller.hears()
    callee.hears()
    caller.command("hangup")
    callee.state("disconnected")
    assert server.metric("b2bua_calls_active") == 0
