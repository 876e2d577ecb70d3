"""Communication Manager in a process of its own: SIPp phones hold and resume over the link, and it dies in a call."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Issued
from tests.interop.conftest import USERS
from tests.interop.feature_process import FeatureProcess
from tests.interop.lab import Lab
from tests.interop.nine_steps import nine_steps
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command, environment, free_port, wait_until
from tests.interop.test_sipp_hold import Held, Standing

HOST = "127.0.0.71"
ELSEWHERE = "127.0.0.72"
NAME = "communication_manager"
FS_NAME = "cm.example.com"
SETTINGS = """
feature_server = "none"
links = ["{name}={transport}:{link}={peer}"]
link_heartbeat = 0.5
"""
PAPERS = """
tls_cert = "{certificate}"
tls_key = "{key}"
tls_ca = "{authority}"
"""


class Papers:
    """An authority, and what it has signed for each end of a link."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.ours, self.theirs = self.authority.issue("sm", HOST), self.authority.issue("fs", ELSEWHERE, FS_NAME)
        self.wrong = self.authority.issue("other", "127.0.0.99", "other.example.com")
        self.stranger = Authority(directory, "Another Authority").issue("stranger", ELSEWHERE, FS_NAME)

    def lines(self, issued: Issued) -> str:
        return PAPERS.format(certificate=issued.certificate, key=issued.key, authority=self.authority.certificate)


class Pair:
    """Session Manager and Communication Manager, two processes, linked."""

    def __init__(self, directory: Path, transport: str, named: bool = False) -> None:
        self.papers = Papers(directory)
        self._directory = directory
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        link, peer = f"{HOST}:{free_port(HOST, kind)}", f"{ELSEWHERE}:{free_port(ELSEWHERE, kind)}"
        self.kept = directory / "var" / "feature-server-trace.db"
        self.http = f"{ELSEWHERE}:{free_port(ELSEWHERE, socket.SOCK_STREAM)}"
        self.transport = transport
        config = directory / "session-manager.toml"
        known_as = f"{FS_NAME}:{peer.rpartition(':')[2]}" if named else peer
        tls = self.papers.lines(self.papers.ours) if transport == "tls" else ""
        config.write_text(SETTINGS.format(name=NAME, transport=transport, link=link, peer=known_as) + tls)
        self.server = Server(directory, HOST, USERS, options=("--config", str(config)))
        self._link = f"{transport}:{peer}", link
        self.elsewhere = self.feature_server(self.papers.theirs)

    def feature_server(self, shows: Issued | None) -> FeatureProcess:
        """Its process, with this certificate where the link is by TLS."""
        config = self._directory / "feature-server.toml"
        papers = self.papers.lines(shows) if self.transport == "tls" and shows is not None else ""
        config.write_text(f'trace_keep = "1h"\ncdr = "elsewhere.jsonl"\n{papers}')
        return FeatureProcess(self._directory, *self._link, ("--http", self.http, "--config", str(config)))

    def up(self) -> bool:
        return self.server.metric("b2bua_entity_up", entity=NAME) == 1

    def start(self) -> None:
        self.elsewhere.start()
        wait_until("the link is up", self.up)

    def kill(self) -> None:
        self.elsewhere.kill()
        wait_until("the link is known to be down", lambda: not self.up())

    def fetch(self, path: str) -> str:
        """From the feature server's own HTTP."""
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
            return str(answer.read().decode("utf-8"))


def messages(text: str) -> list[tuple[str, str]]:
    """Source and message of each record."""
    return [(record["source"], record["message"]) for record in map(json.loads, text.splitlines())]


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("pair"), request.param)
    try:
        made.start()
        yield made
        made.server.check_healthy()
        assert "Traceback" not in made.elsewhere.log_text() and "internal_error" not in made.elsewhere.log_text()
        assert made.elsewhere.stop() == 0
        assert made.server.stop() == 0
    except BaseException:
        print(made.elsewhere.log_text(), file=sys.stderr)
        raise
    finally:
        made.elsewhere.kill()
        made.server.kill()


@pytest.fixture
def server(pair: Pair) -> Server:
    """What the lab's phones call through."""
    return pair.server


@pytest.fixture(scope="module")
def held(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Held]:
    """Two calls at once: the caller's hold and the callee's."""
    lab = Lab(pair.server, tmp_path_factory.mktemp("held"))
    try:
        standing = {"caller": Standing(lab), "callee": Standing(lab, by_callee=True)}
        return {name: call.ended() for name, call in standing.items()}
    except BaseException:
        print(lab.story(), pair.elsewhere.log_text(), file=sys.stderr)
        raise
    finally:
        lab.close()


@pytest.mark.parametrize("holder", ["caller", "callee"])
def test_the_nine_steps(pair: Pair, held: dict[str, Held], holder: str) -> None:
    call = held[holder]
    nine_steps(call.hops, call.holder.user, call.far.user, [each.watcher.address for each in call.watches])
    assert len({hop.call for hop in call.hops}) == 1
    seen = {each.local for each in call.holders.lamps() if each.state == "confirmed"}
    assert seen == {"yes", "no"}
    trace = pair.server.trace()
    links = {record["transport"] for record in trace if "CM" in (record["source"], record["destination"])}
    assert links == {pair.transport}


def test_the_feature_servers_own_http(pair: Pair, held: dict[str, Held]) -> None:
    records = [json.loads(line) for line in pair.fetch("/api/trace").splitlines()]
    assert {(record["source"], record["destination"]) for record in records} == {("SM", "CM"), ("CM", "SM")}
    calls = {record["call"] for record in records} - {None}
    assert {hop.call for one in held.values() for hop in one.hops} <= calls
    metrics = pair.fetch("/metrics")
    assert 'b2bua_reinvites_total{kind="hold",result="ok"} 2.0' in metrics
    assert 'b2bua_entity_up{entity="session_manager"} 1.0' in metrics
    assert pair.fetch("/readyz")
    ended = json.loads(pair.fetch("/api/cdr"))["cdr"]
    assert [one["holds"] for one in ended] == [1, 1] and all(one["node"].startswith("communication_manager@") for one in ended)
    assert {one["caller"]["call_id"] for one in ended} <= calls


def test_its_trace_is_kept_over_a_kill_in_a_file_of_its_own(pair: Pair, held: dict[str, Held]) -> None:
    before = messages(pair.fetch("/api/trace"))
    assert len(before) > 40
    wait_until("all of it is on disk", lambda: messages(pair.fetch("/api/trace?since=1"))[: len(before)] == before)
    pair.kill()
    pair.start()
    assert not any("sendonly" in message for _, message in messages(pair.fetch("/api/trace"))), "the ring began anew"
    assert messages(pair.fetch("/api/trace?since=1"))[: len(before)] == before
    assert pair.kept.exists() and not pair.kept.with_name("trace.db").exists()


def test_killed_in_a_call_and_started_anew(pair: Pair, lab: Lab) -> None:
    """The call goes on, with its next hold; the next call finds everything as it was."""
    caller, callee = lab.phones(2)
    far = lab.start(Callee().ring().accept().reinvited("sendonly", "recvonly").byed(), callee)
    near = lab.start(Caller(callee.user).dial().wait().reinvite("sendonly").bye(), caller)
    wait_until("the call stands", lambda: 'b2bua_calls_active{state="confirmed"} 1.0' in pair.fetch("/metrics"))
    wait_until("the caller knows", lambda: bool(near.received(status=200)))
    pair.kill()
    pair.start()
    near.go_on()
    near.finish()
    far.finish()
    caller, callee = lab.phones(2)
    lab.call(
        caller, Caller(callee.user).dial().reinvite("sendonly").bye(),
        callee, Callee().ring().accept().reinvited("sendonly", "recvonly").byed(),
    )  # fmt: skip


def test_a_call_while_it_is_down(pair: Pair, lab: Lab) -> None:
    caller, callee = lab.phones(2)
    pair.kill()
    lab.start(Caller(callee.user).invite().refused(480), caller).finish()
    assert pair.server.get("/readyz")
    pair.start()
    lab.call(caller, Caller(callee.user).dial().bye(), callee, Callee().ring().accept().byed())


# ---- TLS


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Pair]:
    """A link to a feature server that is known by its name alone: it may come from anywhere."""
    made = Pair(tmp_path, "tls", named=True)
    try:
        yield made
        made.server.check_healthy()
        assert made.server.stop() == 0
    finally:
        made.elsewhere.kill()
        made.server.kill()


def test_a_feature_server_by_name(named: Pair, tmp_path: Path) -> None:
    named.start()
    lab = Lab(named.server, tmp_path)
    try:
        caller, callee = lab.phones(2)
        lab.call(
            caller, Caller(callee.user).dial().reinvite("sendonly").bye(),
            callee, Callee().ring().accept().reinvited("sendonly", "recvonly").byed(),
        )  # fmt: skip
    finally:
        lab.close()


@pytest.mark.parametrize("shows", ["wrong", "stranger"])
def test_who_shows_the_certificate_of_another_is_no_feature_server(named: Pair, shows: str) -> None:
    """Signed by our authority for somebody else; or by another authority for the right name."""
    named.elsewhere = named.feature_server(getattr(named.papers, shows))
    named.elsewhere.start()
    dropped = {"wrong": "certificate of another", "stranger": "no TLS"}[shows]
    wait_until("it was refused", lambda: named.server.metric("b2bua_messages_dropped_total", reason=dropped) > 1)
    assert not named.up()


def test_who_shows_no_certificate_is_no_feature_server(named: Pair) -> None:
    context = ssl.create_default_context(cafile=str(named.papers.authority.certificate))
    host, port = named._link[1].split(":")
    with socket.create_connection((host, int(port)), 5) as plain, context.wrap_socket(plain, server_hostname=host) as secure:
        secure.settimeout(5)
        try:
            secure.sendall(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n")
            assert secure.recv(100) == b""
        except (ConnectionError, ssl.SSLError):
            pass
    wait_until("it was refused", lambda: named.server.metric("b2bua_messages_dropped_total", reason="certificate of another") > 0)


# ---- what cannot start


LINKED = ("--listen", f"udp:{ELSEWHERE}:0", "--session-manager", f"{HOST}:1")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("--listen", f"tls:{ELSEWHERE}:5071", "--session-manager", f"{HOST}:5070"), "needs tls_cert, and tls_ca"),
        (("--listen", "udp:192.0.2.1:5071", "--session-manager", f"{HOST}:5070"), "neither loopback nor private"),
        ((*LINKED, "--feature", "nonsense"), "feature 'nonsense'"),
        ((*LINKED, "--plugin", "nonsense"), "no module plugins.nonsense"),
        ((*LINKED, "--http", f"{ELSEWHERE}:{{taken}}"), "http: "),
    ],
)
def test_one_line_for_the_user(tmp_path: Path, arguments: tuple[str, ...], wrong: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind((ELSEWHERE, 0))
        taken.listen()
        given = [argument.format(taken=taken.getsockname()[1]) for argument in arguments]
        done = subprocess.run(
            command("feature-server", *given), cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=20,
            check=False,
        )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("b2bua: ") and wrong in line
