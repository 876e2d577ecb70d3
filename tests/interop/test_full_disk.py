"""A disk that is really full: the store lies in a small file system of its own, in a mount namespace of the test's.

As root; without, in a user namespace where the system allows that.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.server import Server, wait_until
from tests.restart.phone import Phone

HOST, PHONES = "127.0.0.77", "127.0.0.78"
USERS = {user: f"secret-{user}-word" for user in ("6001", "6002", "6003", "6004")}
SIZE = 768 * 1024
"""Bytes of that file system."""


class SmallDisk:
    """A tmpfs at `path` that only this namespace has; `prefix` starts a command in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        own = ["--map-root-user"] if os.geteuid() else []
        script = f"mount -t tmpfs -o size={SIZE},mode=700 none {path} && echo mounted && exec sleep 600"
        argv = ["unshare", "--mount", *own, "sh", "-c", script]
        self._holder = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self._holder.stdout is not None and self._holder.stdout.readline() == b"mounted\n"
        user = ["--user", "--preserve-credentials"] if own else []
        self.prefix = ["nsenter", f"--target={self._holder.pid}", "--mount", *user]

    @property
    def seen(self) -> Path:
        """The same directory from outside."""
        return Path(f"/proc/{self._holder.pid}/root{self.path}")

    def fill(self) -> None:
        """To the last byte."""
        with (self.seen / "filler").open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 512)

    def clear(self) -> None:
        (self.seen / "filler").unlink()

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait(5)


class Lab:
    """A server on that disk and two baresip phones."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.disk = SmallDisk(directory / "disk")
        self.server = self._start()
        self.phones = [Baresip(directory / user, self.server.address, user, USERS[user], PHONES) for user in ("6001", "6002")]

    def _start(self, port: int = 0) -> Server:
        return Server(self.directory, HOST, USERS, f"sqlite:{self.disk.path}/b2bua.db", port=port, prefix=self.disk.prefix)

    def restart(self) -> None:
        """kill -9, and a new start on the same disk."""
        self.server.kill()
        self.server = self._start(self.server.port)

    def held(self) -> bool:
        return self.server.metric("b2bua_calls_active", state="held") == 1

    def up(self) -> bool:
        return self.server.metric("b2bua_store_up") == 1

    def close(self) -> None:
        for phone in self.phones:
            phone.close()
        self.server.kill()
        self.disk.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()


async def newcomers(server: Server) -> tuple[int, int]:
    """The statuses of a registration and of a call, both new."""
    one, other = (Phone(user, USERS[user], (server.host, server.port), PHONES) for user in ("6003", "6004"))
    try:
        for phone in (one, other):
            await phone.open()
        registered = [await phone.register() for phone in (one, other)]
        leg = one.leg("6002" if registered[1] != 200 else "6004")
        calling = asyncio.create_task(leg.dial())
        if registered[1] == 200:
            (await asyncio.wait_for(other.incoming.get(), 10)).answer()
        status = await calling
        if status == 200:
            await leg.bye()
        return registered[0], status
    finally:
        for phone in (one, other):
            await phone.close()


@pytest.mark.row(11)
def test_a_standing_call_goes_on(lab: Lab) -> None:
    """Held and resumed on a full disk; who is new is refused in a way that brings it back later. Once there is room again all is
    as if nothing had been: also for the next process."""
    caller, callee = lab.phones
    for phone in lab.phones:
        phone.registered()
    caller.dial(callee.user)
    callee.expect("CALL_INCOMING")
    callee.command("accept")
    caller.expect("CALL_ESTABLISHED")
    callee.expect("CALL_ESTABLISHED")
    lab.disk.fill()
    for phone in (caller, callee):
        phone.command("hold")
        wait_until("held on a full disk", lab.held)
        phone.command("resume")
        wait_until("resumed on a full disk", lambda: not lab.held())
    wait_until("the store is known to be down", lambda: not lab.up())
    assert lab.server.metric("b2bua_not_durable_total") > 0
    assert "disk is full" in lab.server.log_text()
    assert asyncio.run(newcomers(lab.server)) == (500, 480)
    caller.command("hold")
    wait_until("held on a full disk", lab.held)
    lab.disk.clear()
    wait_until("the store is up again", lab.up)
    assert asyncio.run(newcomers(lab.server)) == (200, 200)
    lab.restart()
    assert lab.held(), "what was owed is written"
    caller.command("resume")
    wait_until("resumed after the restart", lambda: not lab.held())
    assert not [event for phone in lab.phones for event in phone.events if event.get("type") == "CALL_CLOSED"]
    callee.command("hangup")
    caller.expect("CALL_CLOSED")
    lab.server.check_healthy()
