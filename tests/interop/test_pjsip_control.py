"""`b2bua call` with real phones: a call is made for PJSIP and baresip, held, resumed, transferred and ended from beside, by a
server with its Communication Manager in process and by one in a process of its own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import USERS
from tests.interop.feature_process import FeatureProcess
from tests.interop.phones import Phones
from tests.interop.server import Server, command, environment, free_port, wait_until

HOST = "127.0.0.96"
ELSEWHERE = "127.0.0.97"


class Desk:
    """A server, and the command that steers its calls."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self._url = url

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = command("call", *words, "--url", self._url)
        return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60, check=False)

    def told(self, *words: str) -> list[str]:
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout.splitlines()


@pytest.fixture(scope="module", params=["in process", "elsewhere"])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "in process":
        server = Server(folder, HOST, USERS, more=(f"tcp:{HOST}",))
        yield Desk(server, f"http://{HOST}:{server.http_port}")
        server.check_healthy()
        assert server.stop() == 0
        return
    link, peer = f"{HOST}:{free_port(HOST)}", f"{ELSEWHERE}:{free_port(ELSEWHERE)}"
    (folder / "lab.toml").write_text(f'feature_server = "none"\nlinks = ["communication_manager=udp:{link}={peer}"]\n')
    server = Server(folder, HOST, USERS, more=(f"tcp:{HOST}",), options=("--config", "lab.toml"))
    port = free_port(ELSEWHERE, socket.SOCK_STREAM)
    process = FeatureProcess(folder, f"udp:{peer}", link, ("--http", f"{ELSEWHERE}:{port}"))
    try:
        process.start()
        wait_until("linked", lambda: server.metric("b2bua_entity_up", entity="communication_manager") == 1)
        yield Desk(server, f"http://{ELSEWHERE}:{port}")
        server.check_healthy()
        assert process.stop() == 0 and server.stop() == 0
        assert "internal_error" not in process.log_text()
    finally:
        process.kill()
        server.kill()


@pytest.fixture
def phones(desk: Desk, tmp_path: Path) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(desk.server, tmp_path, HOST, stack)


def test_made_held_resumed_and_ended(desk: Desk, phones: Phones) -> None:
    """RTP both ways, none on hold, both ways again."""
    alice, bob = phones.new_pjsip("udp"), phones.new_baresip("tcp")
    [name] = desk.told("make", alice.user, bob.user, "--no-wait")
    alice.state("early")
    alice.command("answer")
    bob.expect("CALL_INCOMING")
    bob.command("accept")
    bob.expect("CALL_ESTABLISHED")
    wait_until("made", lambda: alice.call.media == "active")
    alice.hears()
    desk.told("hold", name, alice.user)
    [line] = [line for line in desk.told("list") if line.startswith(name)]
    assert line.endswith(f"held by {alice.user}")
    alice.hears_nothing()
    alice.says_nothing()
    assert desk.told("resume", name, alice.user) == ["resume: 200"]
    alice.hears()
    alice.says()
    assert desk.told("end", name) == ["ended"]
    alice.state("disconnected")
    bob.expect("CALL_CLOSED")
    assert desk.told("list") == []


@pytest.mark.parametrize("first", ["PJSIP", "baresip"])
def test_who_is_called_first(desk: Desk, phones: Phones, first: str) -> None:
    alice, bob = phones.new_pjsip("tcp"), phones.new_baresip("udp")
    order = (alice.user, bob.user) if first == "PJSIP" else (bob.user, alice.user)
    desk.told("make", *order, "--no-wait")
    for who in ("PJSIP", "baresip") if first == "PJSIP" else ("baresip", "PJSIP"):
        if who == "PJSIP":
            alice.state("early")
            alice.command("answer")
        else:
            bob.expect("CALL_INCOMING")
            bob.command("accept")
    wait_until("made", lambda: alice.call.media == "active")
    alice.hears()
    alice.command("hangup")
    bob.expect("CALL_CLOSED")
    assert desk.told("list") == []


def test_transferred(desk: Desk, phones: Phones) -> None:
    """6001 dials 6002; 6001 is taken out, and 6002 talks to a third one."""
    alice, bob, carol = phones.new_pjsip("udp"), phones.new_baresip("udp"), phones.new_pjsip("tcp")
    alice.dial(bob.user)
    bob.expect("CALL_INCOMING")
    bob.command("accept")
    alice.state("confirmed")
    [line] = desk.told("list")
    name = line.split()[0]
    desk.told("transfer", name, alice.user, carol.user, "--no-wait")
    carol.state("early")
    carol.command("answer")
    alice.state("disconnected")
    carol.state("confirmed")
    carol.hears()
    [line] = desk.told("list")
    assert set(line.split()[2:4]) == {bob.user, carol.user}
    carol.command("hangup")
    bob.expect("CALL_CLOSED")


def test_a_phone_that_refuses(desk: Desk, phones: Phones) -> None:
    alice, bob = phones.new_baresip("udp"), phones.new_baresip("tcp")
    [name] = desk.told("make", alice.user, bob.user, "--no-wait")
    alice.expect("CALL_INCOMING")
    alice.command("hangup")
    wait_until("over", lambda: desk.told("list") == [])
    done = desk.run("hold", name, alice.user)
    assert (done.returncode, done.stderr) == (2, f"b2bua: there is no call {name}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("end", "nothing"), "there is no call nothing"),
        (("hold", "nothing", "6001"), "there is no call nothing"),
        (("make", "6001", "tel:1"), "'tel:1' is no user"),
    ],
)
def test_what_cannot_be_is_one_line(desk: Desk, words: tuple[str, ...], said: str) -> None:
    done = desk.run(*words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"b2bua: {said}\n")


def test_nobody_is_there_is_exit_status_1(desk: Desk) -> None:
    done = desk.run("make", "6099", "6098")
    assert done.returncode == 1 and done.stdout.splitlines()[1].startswith("make: 480")
