"""`b2bua fault` on the real process, with baresip and SIPp: what they do when a message is lost or a challenge is unkind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import USERS
from tests.interop.lab import Lab
from tests.interop.phones import Phones
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command, environment, wait_until
from tests.interop.wire import lamp

HOST = "127.0.0.94"
LISTEN = (f"tcp:{HOST}",)


def run(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    argv = command("fault", *words, "--url", f"http://{server.http_host}:{server.http_port}")
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)


def told(server: Server, *words: str) -> str:
    done = run(server, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(autouse=True)
def none_left(server: Server) -> Iterator[None]:
    yield
    assert told(server, "remove", "all") == "no fault is left\n"


@pytest.fixture
def phones(server: Server, tmp_path: Path) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path, HOST, stack)


def touched(server: Server, user: str) -> list[str]:
    """What the trace says of each message of this user that a fault acted on."""
    return [record["fault"].partition(": ")[2] for record in server.trace(f"user={user}") if "fault" in record]


def test_added_listed_and_removed(server: Server) -> None:
    assert told(server, "list") == ""
    line = told(server, "add", "drop", "method=notify", "user=6003")
    assert line.endswith(" drop user=6003 method=NOTIFY (for 0, acted on 0)\n")
    assert told(server, "list") == line
    number = line.split()[0]
    assert told(server, "remove", number) == f"fault {number} is gone\n"
    done = run(server, "remove", number)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"b2bua: there is no fault {number}\n")


@pytest.mark.parametrize("words", [("lose",), ("drop", "metod=BYE"), ("delay",)])
def test_what_is_no_fault_is_one_line(server: Server, words: tuple[str, ...]) -> None:
    done = run(server, "add", *words)
    assert done.returncode == 2 and done.stderr.startswith("b2bua: fault '") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("list",), ("add", "drop"), ("remove", "1")])
def test_no_server_there(words: tuple[str, ...]) -> None:
    argv = command("fault", *words, "--url", f"http://{HOST}:9")
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and done.stderr.startswith("b2bua: cannot reach") and done.stderr.count("\n") == 1


def test_faults_of_the_settings_stand_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('faults = ["drop user=6003 method=NOTIFY", "delay seconds=0.2 status=200"]\n')
    server = Server(tmp_path, HOST, USERS, options=("--config", "lab.toml"))
    try:
        lines = told(server, "list").splitlines()
        assert [line.partition(" (")[0] for line in lines] == [
            "1 drop user=6003 method=NOTIFY", "2 delay status=200 seconds=0.2",
        ]  # fmt: skip
        assert server.stop() == 0
    finally:
        server.kill()


OWN = '''
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.strike import Answered

class Unkind(Feature):
    faults = {"unkind": "calls are answered with a status"}

    def message_struck(self, strike):
        return Answered(%s)
'''


def test_a_fault_of_a_feature_strikes_baresip_and_a_reload_changes_it(tmp_path: Path) -> None:
    """A fault that the settings name and no feature has keeps the server from starting, in one line."""
    features = tmp_path / "features"
    features.mkdir()
    (features / "unkind.py").write_text(OWN % 486)
    settings = 'faults = ["unkind method=INVITE direction=in count=all"]\nfeature_directory = "features"\n'
    (tmp_path / "lab.toml").write_text(settings)
    checked = subprocess.run(
        command("config", "check", "--config", "lab.toml"), cwd=tmp_path, env=environment(), capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert checked.returncode == 2 and "nor has a feature in use a fault of this name" in checked.stderr
    (tmp_path / "lab.toml").write_text(f'{settings}features = ["hold", "lamps", "unkind"]\n')
    server = Server(tmp_path, HOST, USERS, options=("--config", "lab.toml"))
    try:
        with ExitStack() as stack:
            phones = Phones(server, tmp_path, HOST, stack)
            alice = phones.new_baresip("udp")
            alice.dial("6002")
            assert "486" in str(alice.expect("CALL_CLOSED"))
            (features / "unkind.py").write_text(OWN % 603)
            url = f"http://{server.http_host}:{server.http_port}"
            subprocess.run(command("reload", "--url", url), env=environment(), timeout=30, check=True, capture_output=True)
            alice.dial("6002")
            assert "603" in str(alice.expect("CALL_CLOSED"))
            assert touched(server, alice.user)[-1] == "unkind: answered 603"
            assert server.metric("b2bua_faults_injected_total", fault="unkind") == 2
        assert server.stop() == 0
    finally:
        server.kill()


def test_a_dropped_200_and_the_call_stands_all_the_same(server: Server, lab: Lab) -> None:
    """SIPp gets the repeated one."""
    alice, bob = lab.phones(2)
    told(server, "add", "drop", f"user={alice.user}", "method=INVITE", "status=200", "direction=out")
    far = lab.start(Callee().ring().accept().byed(), bob)
    near = lab.start(Caller(bob.user).dial().bye(), alice)
    near.finish()
    far.finish()
    assert touched(server, alice.user) == ["dropped"]
    assert server.metric("b2bua_faults_injected_total", fault="drop") >= 1
    hops = server.hops(f"user={alice.user}")
    sent = [(hop.message.status, hop.message.cseq_method) for hop in hops if hop.way == ("SM", alice.user)]
    assert sent.count((200, "INVITE")) == 2


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_407_without_stale_ends_the_hold_of_baresip(server: Server, phones: Phones, transport: str) -> None:
    """With stale=true, as we say it, it tries again; without, it gives up and says nothing."""
    alice, bob = phones.new_baresip(transport), phones.new_baresip("udp")
    alice.dial(bob.user)
    bob.expect("CALL_INCOMING")
    bob.command("accept")
    alice.expect("CALL_ESTABLISHED")
    told(server, "add", "challenge", f"user={alice.user}", "method=re-INVITE", "stale=no")
    alice.command("hold")
    wait_until("challenged", lambda: touched(server, alice.user) == ["challenged not as stale"])

    def offers() -> list[str]:
        hops = server.hops(f"user={alice.user}")
        return [hop.message.body for hop in hops if hop.way == (alice.user, "SM") and "a=sendonly" in hop.message.body]

    alice.command("hangup")
    bob.expect("CALL_CLOSED")
    assert len(offers()) == 1
    assert server.metric("b2bua_calls_active") == 0


def test_a_lost_notify_comes_again(server: Server, lab: Lab, phones: Phones) -> None:
    """The lamp that SIPp watches is right in the end."""
    alice, bob = phones.new_baresip("udp"), phones.new_baresip("tcp")
    (watcher,) = lab.phones(1)
    watch = lab.start(Caller(alice.user).subscribe().answer_notifies(), watcher)
    wait_until("first NOTIFY", lambda: bool(watch.received("NOTIFY")))
    told(server, "add", "drop", f"user={watcher.user}", "method=NOTIFY", "direction=out", "count=2")
    alice.dial(bob.user)
    bob.expect("CALL_INCOMING")
    bob.command("accept")
    alice.expect("CALL_ESTABLISHED")
    wait_until("the lamp", lambda: lamp(watch.received("NOTIFY")[-1].body).state == "confirmed")
    assert touched(server, watcher.user) == ["dropped", "dropped"]
    alice.command("hangup")
    bob.expect("CALL_CLOSED")
