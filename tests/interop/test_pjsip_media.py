"""What the server plays and hears itself, at phones that somebody else wrote: packets counted, tones recognised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.phones import Phones
from tests.interop.pjsip import Pjsip
from tests.interop.server import Server, wait_until

HOST = "127.0.0.131"
LISTEN = (f"tcp:{HOST}",)
SETTINGS = """
features = ["echo_test", "tone", "hold", "lamps"]
media_ports = "0-0"
user_defaults = { announcement = "tone:700" }
"""
SPEECH = 440
"""Hertz of what PJSIP says."""


@pytest.fixture(scope="module")
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path_factory.mktemp("phones"), HOST, stack)


def ends(phone: Pjsip, server: Server) -> None:
    phone.command("hangup")
    phone.state("disconnected")
    wait_until("the call is over", lambda: server.metric("b2bua_calls_active") == 0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_pjsip_hears_its_echo_and_none_on_hold(phones: Phones, server: Server, transport: str) -> None:
    phone = phones.pjsip(transport)
    phone.dial("*43")
    phone.state("confirmed")
    phone.hears_tone(SPEECH)
    phone.becomes("50 packets", lambda call: call.received >= 50)
    phone.command("hold")
    phone.media("local hold")
    phone.hears_nothing()
    phone.command("resume")
    phone.media("active")
    phone.hears()
    ends(phone, server)


@pytest.mark.parametrize(("code", "hertz"), [("*44", 440), ("*441000", 1000), ("*45", 700)])
def test_pjsip_hears_a_tone(phones: Phones, server: Server, code: str, hertz: int) -> None:
    phone = phones.pjsip("udp")
    phone.dial(code)
    phone.state("confirmed")
    phone.hears_tone(hertz)
    ends(phone, server)


def test_baresip_hears_its_echo(phones: Phones, server: Server) -> None:
    phone = phones.baresip("udp")
    phone.dial("*43")
    phone.expect("CALL_ESTABLISHED")
    wait_until("an echo", phone.hears)
    phone.command("hangup")
    wait_until("the call is over", lambda: server.metric("b2bua_calls_active") == 0)


def test_no_port_stays_open(server: Server) -> None:
    """Behind the calls above: what the process has open on UDP is its listener."""
    inodes = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    mine = {str(fd.readlink()) for fd in Path(f"/proc/{server.process.pid}/fd").iterdir() if fd.is_symlink()}
    assert len([inode for inode in inodes if f"socket:[{inode}]" in mine]) == 1
