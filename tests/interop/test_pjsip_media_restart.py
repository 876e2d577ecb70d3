"""kill -9 with phones in the echo test, on hold and parked: the first hears BYE, the others their music again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import USERS
from tests.interop.phones import Phones
from tests.interop.pjsip import Pjsip
from tests.interop.server import DOMAIN, Server, wait_until

HOST = "127.0.0.136"
SETTINGS = """
features = ["echo_test", "hold", "music_on_hold", "lamps", "transfer", "park"]
media_ports = "0-0"
user_defaults = { music_on_hold = "tone:700", park_music = "tone:600" }
"""


def start(directory: Path, port: int = 0) -> Server:
    options = ("--config", str(directory / "settings.toml"))
    more = (f"tcp:{HOST}",)
    return Server(directory, HOST, USERS, f"sqlite:{directory / 'pbx.db'}", options=options, port=port, more=more)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_after_kill_9(stack: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    first = start(tmp_path)
    stack.callback(first.kill)
    phones = Phones(first, tmp_path, HOST, stack)
    alone, holder, held = (phones.new_pjsip("udp") for _ in range(3))
    alone.dial("*43")
    alone.hears_tone(440)
    holder.dial(held.user)
    held.state("early")
    held.command("answer")
    held.state("confirmed")
    holder.command("hold")
    held.hears_tone(700)
    first.kill()
    held.hears_nothing()
    second = start(tmp_path, first.port)
    stack.callback(second.kill)
    alone.state("disconnected")
    held.hears()
    held.hears_tone(700)
    holder.command("resume")
    held.media("active")
    held.hears_tone(440)
    holder.command("hangup")
    held.state("disconnected")
    wait_until("no call is left", lambda: second.metric("b2bua_calls_active") == 0)
    second.check_healthy()
    assert second.stop() == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_parked_phone_after_kill_9(stack: ExitStack, tmp_path: Path, transport: str) -> None:
    """PJSIP by TCP has to register anew before it can be asked."""
    (tmp_path / "settings.toml").write_text(SETTINGS)
    first = start(tmp_path)
    stack.callback(first.kill)
    phones = Phones(first, tmp_path, HOST, stack)
    parker, parked, other = (phones.new_pjsip(transport) for _ in range(3))
    parker.dial(parked.user)
    parked.state("early")
    parked.command("answer")
    parked.state("confirmed")
    parker.command("transfer", uri=f"sip:*68@{DOMAIN}")
    parker.state("disconnected")
    parked.hears_tone(600)
    first.kill()
    parked.hears_nothing()
    second = start(tmp_path, first.port)
    stack.callback(second.kill)
    wait_until("its music is back", lambda: hears(parked), 60)
    parked.hears_tone(600)
    other.registered(2 if transport == "tcp" else 1)
    other.dial(f"*69{parker.user}")
    other.state("confirmed")
    for phone in (other, parked):
        phone.hears_tone(440)  # what the other one says
    other.command("hangup")
    parked.state("disconnected")
    wait_until("no call is left", lambda: second.metric("b2bua_calls_active") == 0)
    second.check_healthy()
    assert second.stop() == 0


def hears(phone: Pjsip) -> bool:
    """Whether RTP comes in just now."""
    before = phone.call.received
    time.sleep(0.1)
    return phone.call.received > before
