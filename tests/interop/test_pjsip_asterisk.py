"""PJSIP, baresip and SIPp with the profile `asterisk`: they register, call, hold and watch where Asterisk asks them for less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.lab import Lab
from tests.interop.mixed_call import BARESIP, PJSIP, MixedCall
from tests.interop.phones import Phones
from tests.interop.script import Callee, Caller
from tests.interop.server import Hop, Server, wait_until
from tests.interop.wire import lamp

HOST = "127.0.0.172"
LISTEN = (f"tcp:{HOST}",)
SETTINGS = 'profiles = ["asterisk"]\n'
NONCE = re.compile(r'nonce="[0-9]{10}/[0-9a-f]{32}"')


@pytest.fixture(scope="module")
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path_factory.mktemp("phones"), HOST, stack)


def challenged(hops: list[Hop]) -> list[str]:
    """The methods that were challenged, each as Asterisk does it."""
    found = [hop.message for hop in hops if hop.message.status in (401, 407) and not hop.retransmission]
    assert all(NONCE.search(message.get("WWW-Authenticate")) and message.status == 401 for message in found)
    return [message.cseq_method for message in found]


@pytest.mark.parametrize(("mix", "caller"), [(("udp", "tcp"), PJSIP), (("tcp", "udp"), BARESIP)])
def test_hold(server: Server, phones: Phones, mix: tuple[str, str], caller: str) -> None:
    """By the caller and by the callee: the INVITE is all of the call that is challenged."""
    near, far = mix if caller == PJSIP else mix[::-1]
    call = MixedCall(server, phones.pjsip(near), phones.baresip(far))
    callee = call.far(caller)
    try:
        call.set_up(caller)
        for holder in (caller, callee):
            call.hold(holder)
            assert call.agreed(holder) == "sendonly" and server.metric("b2bua_calls_active", state="held") == 1
            call.resume(holder)
            call.pjsip.hears()
        assert challenged(call.hops()) == ["INVITE"]
        call.hang_up(callee)
    finally:
        call.end()
    for name in (PJSIP, BARESIP):
        of_phone = [hop for hop in server.hops(f"user={call.user(name)}") if hop.message.cseq_method == "REGISTER"]
        assert challenged(of_phone) and any(hop.message.status == 200 for hop in of_phone)


def test_the_lamp_of_who_is_held(lab: Lab) -> None:
    """SIPp watches SIPp: busy at once, on hold while the other holds; nothing of the call itself is told."""
    caller, callee, watcher = lab.phones(3)
    watch = lab.start(Caller(caller.user).subscribe().answer_notifies(), watcher)
    wait_until("first NOTIFY", lambda: bool(watch.received("NOTIFY")))
    near = lab.start(
        Callee().ring().pause(1200).accept().reinvite("sendonly", challenge=0).pause(1200)
        .reinvite("sendrecv", challenge=0).pause(1200).byed(), callee,
    )  # fmt: skip
    far = lab.start(
        Caller(callee.user).dial(challenge=401).reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
        .pause(1300).bye(), caller,
    )  # fmt: skip
    far.finish()
    near.finish()

    def shown() -> list[tuple[str, bool]]:
        bodies = [message.body for message in watch.received("NOTIFY")]
        assert not any("call-id" in body or "-tag" in body for body in bodies)
        found = [(lamp(body).state, 'pvalue="no"' in body) for body in bodies]
        return [each for number, each in enumerate(found) if number == 0 or each != found[number - 1]]

    told = [("terminated", False), ("confirmed", False), ("confirmed", True), ("confirmed", False), ("terminated", False)]
    wait_until("the lamp went through it all", lambda: shown() == told)
