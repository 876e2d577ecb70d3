"""Two calls that a PJSIP phone has joined, and one that was picked up, over `kill -9`: they go on between the other two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.phones import Phones
from tests.interop.server import Server, wait_until
from tests.interop.test_pjsip_transfer import PjsipHandset, call
from tests.restart.matrix import restarted

HOST = "127.0.0.67"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6010)}
SETTINGS = """\
features = ["hold", "lamps", "transfer", "pickup"]
[user_defaults]
pickup_group = "everybody"
"""


class Stage:
    """A server on a durable store, and phones of its users."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        (directory / "settings.toml").write_text(SETTINGS)
        self._options = ("--config", str(directory / "settings.toml"))
        self._store = f"sqlite:{directory / 'state.db'}"
        self.server = Server(directory, HOST, USERS, self._store, self._options)
        stack.callback(lambda: self.server.kill())
        self._phones = Phones(self.server, directory, HOST, stack)

    def phone(self) -> PjsipHandset:
        return PjsipHandset(self._phones.new_pjsip("udp"))

    def kill(self) -> None:
        self.server.kill()
        self.server = restarted(self.server, self._store, self._options)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


def goes_on(stage: Stage, one: PjsipHandset, other: PjsipHandset) -> None:
    """Hold and resume of either, and the end."""
    wait_until("the call stands", lambda: stage.server.metric("b2bua_calls_active", state="confirmed") == 1)
    for first, second in ((one, other), (other, one)):
        first.phone.command("hold", call=len(first.phone.calls()) - 1)
        first.phone.media("local hold")
        second.phone.media("remote hold")
        wait_until("held", lambda: stage.server.metric("b2bua_calls_active", state="held") == 1)
        first.phone.command("resume", call=len(first.phone.calls()) - 1)
        first.talks()
        second.talks()
    one.phone.command("hangup", call=len(one.phone.calls()) - 1)
    other.is_free()
    wait_until("nothing is left", lambda: stage.server.metric("b2bua_calls_active", state="confirmed") == 0)


def test_joined_calls(stage: Stage) -> None:
    a, b, c = (stage.phone() for _ in range(3))
    call(a, b)
    a.held()
    call(c, a)
    a.phone.command("transfer_to", call=0, other=1)
    a.reported("200 final")
    a.is_free()
    stage.kill()
    goes_on(stage, b, c)


def test_a_call_that_was_picked_up(stage: Stage) -> None:
    a, b, c = (stage.phone() for _ in range(3))
    a.dial(b.user)
    b.phone.state("early")
    c.dial("*20")
    a.talks()
    c.talks()
    b.is_free()
    stage.kill()
    goes_on(stage, a, c)
