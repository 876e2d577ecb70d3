"""kill -9 with a phone in the echo test and another one on hold: the one hears BYE, the other its music again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import USERS
from tests.interop.phones import Phones
from tests.interop.server import Server, wait_until

HOST = "127.0.0.136"
SETTINGS = """
features = ["echo_test", "hold", "music_on_hold", "lamps"]
media_ports = "0-0"
user_defaults = { music_on_hold = "tone:700" }
"""


def start(directory: Path, port: int = 0) -> Server:
    options = ("--config", str(directory / "settings.toml"))
    return Server(directory, HOST, USERS, f"sqlite:{directory / 'pbx.db'}", options=options, port=port)


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
