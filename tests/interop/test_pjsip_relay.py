"""rtpengine between real phones: their RTP goes through it, as it says itself; and calls without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.conftest import USERS
from tests.interop.phones import Phones
from tests.interop.pjsip import Pjsip
from tests.interop.rtpengine import Rtpengine
from tests.interop.server import Server, wait_until

HOST = "127.0.0.134"
RELAY = "127.0.0.135"
"""Another address: whoever sends there does not send to a phone."""


def settings(relay: Rtpengine, down: str) -> str:
    return f"""
features = ["echo_test", "hold", "lamps", "media_relay"]
media_ports = "0-0"
rtpengine = "{relay.address}"
rtpengine_down = "{down}"
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    made = Rtpengine(tmp_path_factory.mktemp("relay") / "rtpengine", RELAY)
    yield made
    made.close()


def serve(relay: Rtpengine, tmp_path_factory: pytest.TempPathFactory, down: str) -> Iterator[Phones]:
    """A server that sends media through the relay, and its phones."""
    directory = tmp_path_factory.mktemp(f"server-{down}")
    (directory / "settings.toml").write_text(settings(relay, down))
    server = Server(directory, HOST, USERS, options=("--config", str(directory / "settings.toml")), more=(f"tcp:{HOST}",))
    with ExitStack() as stack:
        stack.callback(server.kill)
        made = Phones(server, tmp_path_factory.mktemp(f"phones-{down}"), HOST, stack)
        found(server, True)
        yield made
        server.check_healthy()
        assert server.stop() == 0


def found(server: Server, is_there: bool) -> None:
    wait_until("rtpengine known", lambda: server.metric("b2bua_entity_up", entity="rtpengine") == is_there)


@pytest.fixture(scope="module")
def all_phones(relay: Rtpengine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    yield from serve(relay, tmp_path_factory, "pass")


@pytest.fixture
def phones(all_phones: Phones, relay: Rtpengine) -> Iterator[Phones]:
    """The relay is there for each test, whatever became of the one before."""
    yield all_phones
    if relay.process.poll() is not None:
        relay.start()
        found(all_phones.server, True)


def talk(one: Pjsip, other: Pjsip) -> None:
    one.dial(other.user)
    other.state("early")
    other.command("answer")
    one.state("confirmed")


def ends(phones: Phones, one: Pjsip) -> None:
    one.command("hangup")
    wait_until("the call is over", lambda: phones.server.metric("b2bua_calls_active") == 0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_rtp_of_two_phones_goes_through_it(phones: Phones, relay: Rtpengine, transport: str) -> None:
    one, other = phones.pjsip("udp"), phones.pjsip(transport, 90)
    talk(one, other)
    for phone in (one, other):
        phone.hears_tone(440)
    (call,) = relay.calls()
    wait_until("packets both ways", lambda: len(relay.relayed(call)) == 2 and min(relay.relayed(call)) > 50)
    hops = phones.server.hops(f"call-id={one.call.call_id}")
    sent = [hop for hop in hops if hop.source == "SM" and hop.message.body and hop.message.cseq_method == "INVITE"]
    assert {hop.destination for hop in sent if "CM" not in hop.way} == {one.user, other.user}
    assert all(f"c=IN IP4 {RELAY}" in hop.message.body for hop in sent if "CM" not in hop.way)
    one.command("hold")
    one.media("local hold")
    other.media("remote hold")
    one.hears_nothing()
    one.command("resume")
    one.media("active")
    other.hears_tone(440)
    one.hears_tone(440)
    wait_until("the resume has its ACK", lambda: other.command("hold_or_not"))
    other.media("local hold")
    one.media("remote hold")
    other.command("resume")
    one.media("active")
    other.hears()
    before = relay.relayed(call)
    wait_until("more packets", lambda: all(now > then for now, then in zip(relay.relayed(call), before, strict=True)))
    ends(phones, one)
    wait_until("it has forgotten the call", lambda: not relay.calls())


def test_the_echo_comes_through_it(phones: Phones, relay: Rtpengine) -> None:
    phone = phones.pjsip("udp")
    phone.dial("*43")
    phone.state("confirmed")
    phone.hears_tone(440)
    (call,) = relay.calls()
    wait_until("packets both ways", lambda: len(relay.relayed(call)) == 2 and min(relay.relayed(call)) > 50)
    ends(phones, phone)


def test_a_call_that_it_has_forgotten_is_set_up_again(phones: Phones, relay: Rtpengine) -> None:
    """It dies under a call and begins anew, empty: both phones are asked to send to its new ports, whoever waits or holds."""
    one, other = phones.pjsip("udp"), phones.pjsip("tcp", 90)
    talk(one, other)
    for phone in (one, other):
        phone.hears_tone(440)
    (call,) = relay.calls()
    relay.kill()
    for phone in (one, other):
        phone.hears_nothing()
    relay.start()
    for phone in (one, other):
        phone.hears()
    assert relay.calls() == [call]
    wait_until("packets both ways", lambda: len(relay.relayed(call)) == 2 and min(relay.relayed(call)) > 50)
    one.command("hold")
    one.media("local hold")
    other.media("remote hold")
    relay.kill()
    relay.start()
    one.command("resume")
    other.media("active")
    for phone in (one, other):
        phone.hears()
        phone.hears_tone(440)
    wait_until("packets both ways", lambda: len(relay.relayed(call)) == 2 and min(relay.relayed(call)) > 50)
    ends(phones, one)
    wait_until("it has forgotten the call", lambda: not relay.calls())


def test_a_call_without_it_goes_between_the_phones(phones: Phones, relay: Rtpengine) -> None:
    one, other = phones.pjsip("udp"), phones.pjsip("tcp", 90)
    relay.kill()
    found(phones.server, False)
    talk(one, other)
    for phone in (one, other):
        phone.hears_tone(440)
    ends(phones, one)
    relay.start()
    found(phones.server, True)
    talk(other, one)
    one.hears_tone(440)
    assert len(relay.calls()) == 1
    ends(phones, one)


def test_a_call_without_it_is_refused(relay: Rtpengine, tmp_path_factory: pytest.TempPathFactory) -> None:
    for phones in serve(relay, tmp_path_factory, "refuse"):
        phone = phones.new_pjsip("udp")
        relay.kill()
        found(phones.server, False)
        phone.dial("*43")
        phone.state("disconnected")
        assert (phone.call.status, phone.call.reason) == (480, "No Media Relay")
        relay.start()
        found(phones.server, True)
        phone.dial("*43")
        phone.state("confirmed")
        phone.hears_tone(440)
        ends(phones, phone)
