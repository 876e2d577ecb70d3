"""A phone behind a real NAT and rtpengine: both parties hear each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.nat import PUBLIC, Nat
from tests.interop.rtpengine import Rtpengine
from tests.interop.server import Server, wait_until
from tests.interop.test_nat import USERS, Phones


@pytest.fixture(scope="module")
def nat() -> Iterator[Nat]:
    """The three networks; the tests of this module run in the public one."""
    made = Nat()
    try:
        with made.inside(made.public):
            yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def relay(nat: Nat, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    made = Rtpengine(tmp_path_factory.mktemp("relay") / "rtpengine", PUBLIC)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(relay: Rtpengine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    config = folder / "pbx.toml"
    features = '["echo_test", "hold", "lamps", "media_relay"]'
    config.write_text(f'keep_alive = 1\nfeatures = {features}\nmedia_ports = "0-0"\nrtpengine = "{relay.address}"\n')
    started = Server(folder, PUBLIC, USERS, options=("--config", str(config)), http_host="127.0.0.1")
    try:
        wait_until("rtpengine known", lambda: started.metric("b2bua_entity_up", entity="rtpengine") == 1)
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


@pytest.fixture
def phones(nat: Nat, server: Server, tmp_path: Path) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(nat, server, tmp_path, stack)


@pytest.mark.parametrize("calls", [True, False], ids=["calls", "is called"])
def test_both_hear_each_other(phones: Phones, server: Server, relay: Rtpengine, calls: bool) -> None:
    far, near = phones.public(), phones.private("udp")
    caller, callee = (near, far) if calls else (far, near)
    caller.dial(callee.user)
    callee.expect("CALL_INCOMING")
    callee.command("accept")
    caller.expect("CALL_ESTABLISHED")
    for phone in (near, far):
        wait_until(f"{phone.user} hears", phone.hears)
    (call,) = relay.calls()
    wait_until("packets both ways", lambda: len(relay.relayed(call)) == 2 and min(relay.relayed(call)) > 50)
    caller.command("hangup")
    callee.expect("CALL_CLOSED")
    wait_until("it has forgotten the call", lambda: not relay.calls())


def test_the_echo_reaches_it(phones: Phones, server: Server) -> None:
    near = phones.private("udp")
    near.dial("*43")
    near.expect("CALL_ESTABLISHED")
    wait_until("an echo", near.hears)
    near.command("hangup")
