"""PJSIP and baresip transfer, are transferred, and are transferred to, blind and attended, as caller and as callee; they pick up
and are picked up, park and retrieve."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final, Protocol

import pytest

from tests.interop.baresip import Baresip
from tests.interop.phones import Phones
from tests.interop.pjsip import Pjsip
from tests.interop.server import DOMAIN, Server, wait_until

HOST = "127.0.0.66"
LISTEN = (f"tcp:{HOST}",)
SETTINGS = """\
features = ["hold", "lamps", "transfer", "pickup", "park"]
[user_defaults]
pickup_group = "everybody"
"""

PJSIP: Final = "PJSIP"
BARESIP: Final = "baresip"


class Handset(Protocol):
    """What a test does with a phone of either program."""

    user: str

    def dial(self, user: str) -> None: ...
    def pick_up(self) -> None: ...
    def talks(self) -> None: ...
    def is_free(self) -> None: ...


class PjsipHandset:
    def __init__(self, phone: Pjsip) -> None:
        self.phone, self.user = phone, phone.user

    def dial(self, user: str) -> None:
        self.phone.dial(user)

    def pick_up(self) -> None:
        self.phone.state("early")
        self.phone.command("answer", call=len(self.phone.calls()) - 1)

    def talks(self) -> None:
        """Of its newest call: RTP comes in, from now on."""
        self.phone.state("confirmed")
        self.phone.media("active")
        self.phone.hears()

    def is_free(self) -> None:
        wait_until("PJSIP is free", lambda: all(call.state == "disconnected" for call in self.phone.calls()))

    def held(self) -> None:
        self.phone.command("hold")
        self.phone.media("local hold")

    def told(self) -> list[str]:
        """What NOTIFYs have told of its REFER, in the call before the newest or in the only one."""
        return [each for number in range(len(self.phone.calls())) for each in self.phone.command("transfers", call=number)]

    def reported(self, *words: str) -> None:
        """Its REFER was told this in the end."""
        wait_until("the transfer is reported", lambda: self.told()[-1:] == list(words))


class BaresipHandset:
    def __init__(self, phone: Baresip) -> None:
        self.phone, self.user = phone, phone.user

    def dial(self, user: str) -> None:
        self.phone.dial(user)

    def pick_up(self) -> None:
        self.phone.expect("CALL_INCOMING")
        self.phone.command("accept")

    def talks(self) -> None:
        """RTP goes both ways; in a call that was joined the stream is the old one, which it says nothing of."""
        wait_until("baresip talks", self.phone.flows)

    def is_free(self) -> None:
        wait_until("baresip is free", lambda: "Call debug" not in self.phone.command("callstat"))


@pytest.fixture
def stack(request: pytest.FixtureRequest, server: Server) -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made
        if getattr(request.node, "failed", False):
            print(*server.hops("")[-120:], sep="\n", file=sys.stderr)


@pytest.fixture
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Phones:
    return Phones(server, tmp_path_factory.mktemp("phones"), HOST, stack)


Make = Callable[[str], PjsipHandset | BaresipHandset]


@pytest.fixture
def make(phones: Phones) -> Make:
    """A phone of a program, with a user of its own."""

    def one(program: str) -> PjsipHandset | BaresipHandset:
        if program == PJSIP:
            return PjsipHandset(phones.new_pjsip("udp"))
        return BaresipHandset(phones.new_baresip("udp"))

    return one


def call(caller: Handset, callee: Handset) -> None:
    caller.dial(callee.user)
    callee.pick_up()
    caller.talks()
    callee.talks()


def alone(server: Server, *parties: Handset) -> None:
    """The one call that stands is that of these two."""
    wait_until("one call stands", lambda: server.metric("b2bua_calls_active", state="confirmed") == 1)
    assert server.metric("b2bua_calls_active", state="held") == 0
    for party in parties:
        party.talks()


KINDS = [(BARESIP, BARESIP), (PJSIP, PJSIP), (BARESIP, PJSIP), (PJSIP, BARESIP)]


@pytest.mark.parametrize(("stays", "comes"), KINDS)
@pytest.mark.parametrize("transferor_calls", [True, False], ids=["caller", "callee"])
def test_blind_by_pjsip(server: Server, make: Make, stays: str, comes: str, transferor_calls: bool) -> None:
    a, b, c = make(PJSIP), make(stays), make(comes)
    assert isinstance(a, PjsipHandset)
    call(*((a, b) if transferor_calls else (b, a)))
    a.held()
    a.phone.command("transfer", uri=f"sip:{c.user}@{DOMAIN}")
    c.pick_up()
    a.reported("200 final")
    a.is_free()
    alone(server, b, c)


@pytest.mark.parametrize(("stays", "comes"), KINDS)
@pytest.mark.parametrize("transferor_calls", [True, False], ids=["caller", "callee"])
def test_blind_by_baresip(server: Server, make: Make, stays: str, comes: str, transferor_calls: bool) -> None:
    a, b, c = make(BARESIP), make(stays), make(comes)
    assert isinstance(a, BaresipHandset)
    call(*((a, b) if transferor_calls else (b, a)))
    a.phone.command("transfer", c.user)
    c.pick_up()
    a.is_free()
    alone(server, b, c)


@pytest.mark.parametrize("target", ["busy", "nobody"])
def test_blind_that_fails(server: Server, make: Make, target: str) -> None:
    a, b, c = make(PJSIP), make(PJSIP), make(PJSIP)
    assert isinstance(a, PjsipHandset) and isinstance(b, PjsipHandset) and isinstance(c, PjsipHandset)
    call(a, b)
    a.phone.command("transfer", uri=f"sip:{c.user if target == 'busy' else 'nobody'}@{DOMAIN}")
    if target == "busy":
        c.phone.state("early")
        c.phone.command("answer", status=486)
    a.reported("486 final" if target == "busy" else "404 final")
    a.talks()
    b.talks()
    a.phone.command("hangup")
    b.is_free()


@pytest.mark.parametrize(("stays", "comes"), KINDS)
@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True), (False, False)])
def test_attended_by_pjsip(server: Server, make: Make, stays: str, comes: str, first: bool, second: bool) -> None:
    a, b, c = make(PJSIP), make(stays), make(comes)
    assert isinstance(a, PjsipHandset)
    call(*((a, b) if first else (b, a)))
    a.held()
    call(*((a, c) if second else (c, a)))
    a.phone.command("transfer_to", call=0, other=1)
    a.reported("200 final")
    a.is_free()
    alone(server, b, c)


@pytest.mark.parametrize(("stays", "comes"), KINDS)
@pytest.mark.parametrize("gives_up", [True, False], ids=["gives up", "waits"])
def test_attended_while_the_second_call_rings(server: Server, make: Make, stays: str, comes: str, gives_up: bool) -> None:
    """PJSIP names a call that is not answered; its user hangs up on that one, or waits."""
    a, b, c = make(PJSIP), make(stays), make(comes)
    assert isinstance(a, PjsipHandset)
    call(a, b)
    a.held()
    a.dial(c.user)
    wait_until("it rings", lambda: a.phone.calls()[1].state == "early")
    a.phone.command("transfer_to", call=0, other=1)
    if gives_up:
        # The REFER is challenged: a CANCEL in one go with it would be there first.
        wait_until("the REFER is taken", lambda: bool(a.told()))
        a.phone.command("hangup", call=1)
        wait_until("given up", lambda: a.phone.calls()[1].state == "disconnected")
    c.pick_up()
    a.reported("200 final")
    a.is_free()
    alone(server, b, c)


@pytest.mark.parametrize(("caller", "comes"), KINDS)
def test_pickup_by_code(server: Server, make: Make, caller: str, comes: str) -> None:
    a, b, c = make(caller), make(PJSIP), make(comes)
    assert isinstance(b, PjsipHandset)
    a.dial(b.user)
    b.phone.state("early")
    c.dial("*20")
    alone(server, a, c)
    b.is_free()


@pytest.mark.parametrize(("stays", "comes"), KINDS)
@pytest.mark.parametrize("by_transfer", [True, False], ids=["by transfer", "by code"])
def test_park_and_retrieve(server: Server, make: Make, stays: str, comes: str, by_transfer: bool) -> None:
    a, b, c = make(PJSIP), make(stays), make(comes)
    assert isinstance(a, PjsipHandset)
    call(a, b)
    a.held()
    if by_transfer:
        a.phone.command("transfer", uri=f"sip:*68@{DOMAIN}")
        a.reported("200 final")
    else:
        a.dial("*68")
    a.is_free()
    b.talks()  # with the music
    c.dial(f"*69{a.user}")
    alone(server, b, c)
