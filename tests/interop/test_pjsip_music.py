"""Music on hold at real phones: the held one hears a tone that nobody but the server plays, the holder hears nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.mixed_call import BARESIP, PJSIP, MixedCall
from tests.interop.nine_steps import nine_steps
from tests.interop.phones import Phones
from tests.interop.server import Server, wait_until

HOST = "127.0.0.133"
LISTEN = (f"tcp:{HOST}",)
SETTINGS = """
features = ["hold", "music_on_hold", "lamps"]
media_ports = "0-0"
user_defaults = { music_on_hold = "tone:700" }
"""
SPEECH = 440
"""Hertz of what PJSIP says; baresip says 400."""


@pytest.fixture(scope="module")
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path_factory.mktemp("phones"), HOST, stack)


@pytest.mark.parametrize("holder_calls", [True, False], ids=["holder-calls", "holder-is-called"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_pjsip_hears_music_while_it_is_held(phones: Phones, server: Server, transport: str, holder_calls: bool) -> None:
    holder, held = phones.pjsip("udp"), phones.pjsip(transport, 90)
    caller, callee = (holder, held) if holder_calls else (held, holder)
    caller.dial(callee.user)
    callee.state("early")
    callee.command("answer")
    caller.state("confirmed")
    held.hears_tone(SPEECH)
    for _ in range(2):
        holder.command("hold")
        holder.media("local hold")
        held.media("remote hold")
        held.hears_tone(700)
        held.becomes("50 packets", lambda call: call.received >= 50)
        holder.hears_nothing()
        holder.command("resume")
        held.media("active")
        held.hears_tone(SPEECH)
        holder.hears()
    hops = server.hops(f"call-id={caller.call.call_id}")
    nine_steps(hops, holder.user, held.user, None, told="inactive")
    caller.command("hangup")
    callee.state("disconnected")
    wait_until("the call is over", lambda: server.metric("b2bua_calls_active") == 0)


@pytest.mark.parametrize("caller", [PJSIP, BARESIP])
def test_baresip_hears_music_while_it_is_held(phones: Phones, server: Server, caller: str) -> None:
    call = MixedCall(server, phones.pjsip("tcp"), phones.baresip("udp"))
    call.set_up(caller)
    before = server.metric("b2bua_reinvites_total", kind="media", result="ok")
    call.press(PJSIP, "hold")
    wait_until("music", lambda: server.metric("b2bua_reinvites_total", kind="media", result="ok") == before + 1)
    wait_until("the music is heard, and nothing said", lambda: bits_a_second(call)[0] == 0 and bits_a_second(call)[1] > 50_000)
    call.press(PJSIP, "resume")
    call.pjsip.media("active")
    call.pjsip.hears()
    call.end()


def bits_a_second(call: MixedCall) -> tuple[int, int]:
    """Out and in, as baresip's display says last."""
    shown = re.findall(r"audio=(\d+)/(\d+) ", (call.baresip.folder / "log").read_text(errors="replace"))
    return int(shown[-1][0]), int(shown[-1][1])


def test_no_port_stays_open(server: Server) -> None:
    """Behind the calls above: what the process has open on UDP is its listener."""
    inodes = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    mine = {str(fd.readlink()) for fd in Path(f"/proc/{server.process.pid}/fd").iterdir() if fd.is_symlink()}
    assert len([inode for inode in inodes if f"socket:[{inode}]" in mine]) == 1
