"""Application sequences on real sockets: two feature server processes and Kamailio, by UDP, TCP and TLS; one dies."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.feature_process import FeatureProcess
from tests.interop.kamailio import APPLICATION, Kamailio
from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command, environment, free_port, wait_until
from tests.interop.sipp import Sipp
from tests.interop.test_reload import reload

HOST, ELSEWHERE, THIRD, KAMAILIO = "127.0.0.76", "127.0.0.77", "127.0.0.78", "127.0.0.79"
OWN = ("6001", "6002", "6003", "6004", "6005")
"""Users with sequences of their own, whom no test gets without asking."""
USERS = {name: f"secret-{name}-word" for name in (*map(str, range(6010, 6060)), *OWN)}
SETTINGS = """
features = ["hold"]
link_heartbeat = 0.5
links = ["first={transport}:{first}", "second={transport}:{second}", "kamailio={transport}:{kamailio}"]
origination = ["first", "cm"]
termination = ["cm", "second"]
optional_applications = ["second"]
application_timeout = 1
[user_sequences]
6001 = {{ origination = ["kamailio", "first"], termination = [] }}
6002 = {{ origination = [], termination = ["kamailio"] }}
6003 = {{ origination = ["kamailio"], termination = ["kamailio"] }}
6004 = {{ origination = [], termination = [] }}
6005 = {{ termination = ["kamailio"] }}
"""
PAPERS = 'tls_cert = "{certificate}"\ntls_key = "{key}"\ntls_ca = "{authority}"\n'
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


class Sequence:
    """The server with its own feature server, two in processes of their own, and Kamailio."""

    def __init__(self, directory: Path, transport: str) -> None:
        self.transport = transport
        kind = DATAGRAM if transport == "udp" else STREAM
        authority = Authority(directory)

        def papers(name: str, host: str) -> str:
            issued = authority.issue(name, host)
            return PAPERS.format(certificate=issued.certificate, key=issued.key, authority=authority.certificate)

        ends = {name: f"{HOST}:{free_port(HOST, kind)}" for name in ("first", "second", "kamailio")}
        peers = {"first": f"{ELSEWHERE}:{free_port(ELSEWHERE, kind)}", "second": f"{THIRD}:{free_port(THIRD, kind)}"}
        signed = (authority.issue("kamailio", KAMAILIO), authority.certificate) if transport == "tls" else (None, None)
        self.kamailio = Kamailio(
            directory / "kamailio", KAMAILIO, transport, f"sip:{ends['kamailio']}", (HOST, 9), *signed, template=APPLICATION
        )
        links = {name: f"{ends[name]}={peers[name]}" for name in peers}
        links["kamailio"] = f"{ends['kamailio']}>{KAMAILIO}:{self.kamailio.trunk_port}"
        self.config = directory / "settings.toml"
        ours = papers("sm", HOST) if transport == "tls" else ""
        self.config.write_text(ours + SETTINGS.format(transport=transport, **links))
        self.server = Server(directory, HOST, USERS, options=("--config", str(self.config)))
        self.processes = {}
        for name, peer in peers.items():
            folder = directory / name
            folder.mkdir()
            (folder / "own.toml").write_text(papers(name, peer.split(":")[0]) if transport == "tls" else "")
            options = ("--name", name, "--feature", "hold", "--config", str(folder / "own.toml"))
            self.processes[name] = FeatureProcess(folder, f"{transport}:{peer}", ends[name], options)

    def start(self) -> None:
        for process in self.processes.values():
            process.start()
        for name in ("first", "second", "kamailio"):
            wait_until(f"{name} is up", lambda name=name: self.up(name))

    def up(self, name: str) -> bool:
        return self.server.metric("b2bua_entity_up", entity=name) == 1

    def passed(self, run: Sipp) -> list[str]:
        """The applications that the first INVITE of a caller's run went to, in order."""
        call = f"call-id={run.messages()[0][1].call_id}"
        hops = [hop for hop in self.server.hops(call) if hop.message.method == "INVITE" and not hop.message.to_tag]
        routes = [hop.message.get("Route") for hop in hops if hop.way[0] == "SM" and hop.message.get("Route")]
        names = {ELSEWHERE: "first", THIRD: "second", KAMAILIO: "kamailio", "fs.example.com": "cm"}
        return [names[route.partition(":")[2].partition(":")[0]] for route in routes]

    def close(self) -> None:
        self.kamailio.stop()
        for process in self.processes.values():
            process.kill()
        self.server.kill()


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def sequence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence]:
    made = Sequence(tmp_path_factory.mktemp(request.param), request.param)
    try:
        made.start()
        yield made
        made.server.check_healthy()
        for process in made.processes.values():
            assert "Traceback" not in process.log_text() and "internal_error" not in process.log_text()
        assert made.server.stop() == 0
    finally:
        made.close()


@pytest.fixture
def lab(sequence: Sequence, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(sequence.server, tmp_path)
    yield made
    made.close()


def held_call(lab: Lab, caller: str = "", callee: str = "") -> tuple[Sipp, Sipp]:
    """Hold and resume from both ends; the caller, who hangs up, and the callee."""
    a, b = lab.phone(caller), lab.phone(callee)
    lab.register(a, b)
    return lab.call(
        a, Caller(b.user).dial().pause(200).reinvite("sendonly").reinvite("sendrecv")
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").pause(200).bye(),
        b, Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
        .pause(200).reinvite("sendonly").reinvite("sendrecv").byed(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("caller", "callee", "passed"),
    [
        ("", "", ["first", "cm", "second"]),
        ("6001", "", ["kamailio", "first", "cm", "second"]),
        ("", "6002", ["first", "cm", "kamailio"]),
        ("6001", "6003", ["kamailio", "first", "kamailio"]),
        ("6003", "6005", ["kamailio"]),
        ("6004", "", ["cm", "second"]),
        ("6002", "6004", []),
    ],
)
def test_hold_from_both_ends(sequence: Sequence, lab: Lab, caller: str, callee: str, passed: list[str]) -> None:
    near, far = held_call(lab, caller, callee)
    assert sequence.passed(near) == passed
    if passed[-1:] == ["kamailio"]:
        assert far.received("INVITE")[0].get("X-Application") == "kamailio"


def test_an_optional_application_dies(sequence: Sequence, lab: Lab) -> None:
    """Nobody knows it yet, or everybody does: the call goes on without it; back again it is passed again."""
    skipped = sequence.server.metric("b2bua_applications_skipped_total")
    process = sequence.processes["second"]
    assert process.process is not None
    process.process.send_signal(signal.SIGSTOP)
    near, _ = held_call(lab)
    assert sequence.passed(near)[:2] == ["first", "cm"]
    assert sequence.server.metric("b2bua_applications_skipped_total") > skipped
    process.process.send_signal(signal.SIGCONT)
    process.kill()
    wait_until("second is down", lambda: not sequence.up("second"))
    near, _ = held_call(lab)
    assert sequence.passed(near) == ["first", "cm"]
    assert sequence.server.metric("b2bua_applications_skipped_total", reason="down") > 0
    process.start()
    wait_until("second is up", lambda: sequence.up("second"))
    near, _ = held_call(lab)
    assert sequence.passed(near) == ["first", "cm", "second"]


def test_an_application_dies_that_is_needed(sequence: Sequence, lab: Lab) -> None:
    process = sequence.processes["first"]
    process.kill()
    wait_until("first is down", lambda: not sequence.up("first"))
    a, b = lab.phones(2)
    lab.start(Caller(b.user).invite().refused(480), a).finish()
    process.start()
    wait_until("first is up", lambda: sequence.up("first"))
    near, _ = held_call(lab)
    assert sequence.passed(near) == ["first", "cm", "second"]


def test_other_sequences_at_run_time_and_twice(sequence: Sequence, lab: Lab) -> None:
    text = sequence.config.read_text()
    changed = text.replace('["first", "cm"]', '["cm", "kamailio"]').replace('["cm", "second"]', '["cm", "kamailio"]')
    try:
        sequence.config.write_text(changed.replace("[user", 'application_passes = "twice"\n[user'))
        reload(sequence.server)
        near, _ = held_call(lab)
        assert sequence.passed(near) == ["cm", "kamailio", "cm", "kamailio"]
        sequence.config.write_text(changed.replace('["cm", "kamailio"]', '["nobody"]'))
        reload(sequence.server)
        assert "there is no link 'nobody'" in " ".join(sequence.server.log_text().split())
        sequence.config.write_text(changed)
        reload(sequence.server)
        near, _ = held_call(lab)
        assert sequence.passed(near) == ["cm", "kamailio"]
    finally:
        sequence.config.write_text(text)
        reload(sequence.server)


def test_the_command_says_the_same(sequence: Sequence) -> None:
    argv = command("route", "6005", "--from", "6001", "--config", str(sequence.config))
    users = {"B2BUA_USERS": str(sequence.config.parent / "users"), "B2BUA_STORE": "memory:", "B2BUA_DOMAIN": "example.com"}
    done = subprocess.run(argv, env=environment() | users, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-4:] == [
        "by application kamailio for 6001 (imsorig)", "by application first for 6001 (imsorig)",
        "by application kamailio for 6005 (imsterm)", "to the phones of 6005",
    ]  # fmt: skip


def test_kamailio_dies(sequence: Sequence, lab: Lab) -> None:
    """The last test: nobody starts it again."""
    sequence.kamailio.stop()
    wait_until("Kamailio is down", lambda: not sequence.up("kamailio"))
    [b] = lab.phones(1)
    a = lab.phone("6001")
    lab.register(a)
    lab.start(Caller(b.user).invite().refused(480), a).finish()
