"""Message waiting at a baresip: `b2bua mwi` on a running server, and after it was killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.server import Server, command, environment, wait_until

HOST = "127.0.0.101"
USERS = {"6001": "one", "6002": "two"}
STARTS = 30
ASKS, HEARS = "mwi: subscribing", "Messages-Waiting"
SANE = 5
"""So often it may ask before it hears."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, HOST, USERS, "sqlite:b2bua.db")
    yield made
    made.kill()


def mwi(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    argv = command("mwi", *words, "--url", f"http://{server.http_host}:{server.http_port}")
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)


def subscribed(server: Server, directory: Path) -> Baresip:
    """A phone that has heard of its messages. At many a start the `mwi` module of baresip 1.0 answers no challenge and asks anew,
    some thousand times a second, and the phone hears nothing else any more (baresip issue 2726): such a one is ended."""
    for number in range(STARTS):
        phone = Baresip(
            directory / f"phone-{number}", server.address, "6001", "one", HOST, modules=("mwi",), account=";mwi=yes"
        )
        said = phone.said
        wait_until("its document, or its loop", lambda: HEARS in said() or said().count(ASKS) > SANE)  # noqa: B023
        if said().count(ASKS) <= SANE:
            return phone
        phone.process.kill()
        phone.close()
    raise AssertionError(f"each of {STARTS} baresips asks for ever")


def test_a_real_phone_is_told_and_a_kill_changes_nothing(server: Server, tmp_path: Path) -> None:
    phone = subscribed(server, tmp_path)
    again = server
    try:
        phone.registered()

        def notified(*lines: str) -> bool:
            bodies = [hop.message.body for hop in again.hops("user=6001") if hop.message.method == "NOTIFY"]
            return bool(bodies) and set(lines) <= set(bodies[-1].splitlines())

        wait_until("first document", lambda: notified("Messages-Waiting: no"))
        done = mwi(server, "set", "6001", "3", "5")
        assert (done.returncode, done.stdout) == (0, "6001 has 3 new and 5 old messages\n"), done.stderr
        wait_until("messages", lambda: notified("Messages-Waiting: yes", "Voice-Message: 3/5"))
        wait_until("its own word", lambda: "Voice-Message: 3/5" in phone.said())
        server.kill()
        again = Server(tmp_path, HOST, USERS, "sqlite:b2bua.db", port=server.port, http_port=server.http_port)
        wait_until("the same after the kill", lambda: notified("Messages-Waiting: yes", "Voice-Message: 3/5"))
        assert mwi(again, "list").stdout == "6001 3 5\n"
        assert mwi(again, "clear", "6001").returncode == 0
        wait_until("lamp out", lambda: notified("Messages-Waiting: no"))
    finally:
        phone.close()
        again.kill()


@pytest.mark.parametrize(("words", "line"), [
    (("set", "6009", "1"), "there is no user 6009"),
    (("clear", "6001"), "nothing is set for 6001"),
    (("set", "a&b=c", "1"), "there is no user a&b=c"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line(server: Server, words: tuple[str, ...], line: str) -> None:
    done = mwi(server, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"b2bua: {line}\n")


@pytest.mark.parametrize("words", [("-1",), ("many",), ("4294967296",), ()])
def test_counts_are_numbers(words: tuple[str, ...]) -> None:
    argv = command("mwi", "set", "6001", *words)
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and done.stderr.startswith("b2bua: ") and done.stderr.count("\n") == 1
