"""Kamailio as a trunk, on real sockets by UDP, TCP and TLS: calls out and in, hold from both ends; its name by the DNS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.kamailio import Kamailio
from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller, Script
from tests.interop.server import Server, free_port
from tests.interop.sipp import Phone, Sipp
from tests.transport.dns_server import DnsProcess

HOST, TRUNK, FAR, DNS = "127.0.0.90", "127.0.0.91", "127.0.0.92", "127.0.0.93"
NAME = "sip.example.net"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6030)}
SETTINGS = """
dns = ["{dns}"]
[entities.carrier]
address = "{name}"
transport = "{transport}"
numbers = ["0"]
domains = ["example.net"]
{known}
"""
LABELS = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


class Trunk:
    """The server, Kamailio, a DNS server that knows it, and a phone behind it that registers nowhere."""

    def __init__(
        self, directory: Path, transport: str, asks_for: tuple[str, str, str] | None = None, more: str = "", shown: str = NAME
    ) -> None:
        """`asks_for`: realm, user name and password that Kamailio wants; `more`: lines of the entity's table; `shown`: the name
        in Kamailio's certificate."""
        self.transport = transport
        self.directory = directory
        self._runs: list[Sipp] = []
        self.far = Phone("0170", "none", FAR, free_port(FAR))
        authority = Authority(directory)
        ours, theirs = authority.issue("pbx", HOST, "pbx.example.com"), authority.issue("trunk", shown)
        pem = directory / "pbx-and-key.pem"
        pem.write_bytes(ours.certificate.read_bytes() + ours.key.read_bytes())
        port = free_port(HOST, socket.SOCK_DGRAM, socket.SOCK_STREAM)
        tls_port = free_port(HOST, socket.SOCK_STREAM)
        upstream = f"sip:{HOST}:{tls_port if transport == 'tls' else port};transport={transport}"
        papers = (theirs, authority.certificate) if transport == "tls" else (None, None)
        self.kamailio = Kamailio(directory / "kamailio", TRUNK, transport, upstream, (FAR, self.far.port), *papers, asks_for)
        dead = free_port(TRUNK, socket.SOCK_STREAM)
        records = [["SRV", 2, 0, self.kamailio.trunk_port, "one.example.net"]]
        if transport != "udp":
            records.append(["SRV", 1, 0, dead, "one.example.net"])  # tried first: nobody listens there
        zone = {f"{LABELS[transport]}.{NAME}": records, "one.example.net": [["A", TRUNK]]}
        self.dns = DnsProcess(directory, DNS, free_port(DNS, socket.SOCK_DGRAM, socket.SOCK_STREAM), zone)
        known = {
            "udp": f'from = ["{TRUNK}:{self.kamailio.port}"]',
            "tcp": f'from = ["{TRUNK}"]',
            "tls": f'certificate = "{NAME}"',
        }[transport]
        config = directory / "settings.toml"
        config.write_text(SETTINGS.format(dns=self.dns.address, name=NAME, transport=transport, known=f"{known}\n{more}"))
        options = ["--config", str(config), "--tls-cert", str(pem), "--tls-ca", str(authority.certificate)]
        options += ["--listen", f"tls:{HOST}:{tls_port}"]
        self.server = Server(directory, HOST, USERS, options=options, port=port, more=(f"tcp:{HOST}",))

    def start(self, script: Script) -> Sipp:
        """The phone behind the trunk."""
        folder = self.directory / f"far-{len(self._runs)}"
        self._runs.append(Sipp(folder, self.kamailio.address, script, [self.far]))
        return self._runs[-1]

    def transports(self, run: Sipp) -> set[str]:
        """What passed between the server and Kamailio in the call of this run of a phone of ours."""
        hops = self.server.hops(f"call-id={run.messages()[0][1].call_id}")
        ends = [(hop.transport, end) for hop in hops for end in (hop.source, hop.destination)]
        return {transport for transport, end in ends if end.startswith(TRUNK) or end == "carrier"}

    def close(self) -> None:
        for run in self._runs:
            run.stop()
        self.kamailio.stop()
        self.dns.stop()
        self.server.kill()


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def trunk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunk]:
    made = Trunk(tmp_path_factory.mktemp(request.param), request.param)
    try:
        yield made
        made.server.check_healthy()
        assert made.server.stop() == 0
    finally:
        made.close()


@pytest.fixture
def lab(trunk: Trunk, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(trunk.server, tmp_path)
    yield made
    made.close()


def test_a_call_out_with_hold_from_both_ends(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunk.start(
        Callee().unchallenged().ring().accept()
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
        .pause(200).reinvite("sendonly").reinvite("sendrecv").byed()
    )  # fmt: skip
    near = lab.start(
        Caller("0170").dial()
        .pause(200).reinvite("sendonly").reinvite("sendrecv")
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").pause(200).bye(),
        phone,
    )  # fmt: skip
    near.finish()
    far.finish()
    invite = far.received("INVITE")[0]
    assert invite.start.startswith(f"INVITE sip:0170@{NAME}")
    assert trunk.transports(near) == {trunk.transport}


def test_a_call_out_to_a_foreign_domain(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunk.start(Callee().unchallenged().ring().accept().pause(200).bye())
    near = lab.start(Caller("bob", "example.net").dial().byed(), phone)
    near.finish()
    far.finish()
    assert far.received("INVITE")[0].start.startswith("INVITE sip:bob@example.net")


def test_a_call_in_with_hold_from_both_ends(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    near = lab.start(
        Callee().ring().accept()
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
        .pause(200).reinvite("sendonly").reinvite("sendrecv").byed(),
        phone,
    )  # fmt: skip
    far = trunk.start(
        Caller(phone.user, own_domain="example.org").unchallenged().dial()
        .pause(200).reinvite("sendonly").reinvite("sendrecv")
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").pause(200).bye()
    )  # fmt: skip
    far.finish()
    near.finish()
    assert trunk.transports(near) == {trunk.transport}


def test_the_caller_gives_up(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    near = lab.start(Caller("0170").invite().receive(180).cancel(), phone)
    far = trunk.start(Callee().unchallenged().ring(cancelled=True).cancelled())
    near.finish()
    far.finish()


def test_no_relay_from_the_trunk(trunk: Trunk) -> None:
    far = trunk.start(Caller("0180", own_domain="example.org").unchallenged().invite().refused(404))
    far.finish()


def test_the_dead_server_of_its_name_was_passed_over(trunk: Trunk, lab: Lab) -> None:
    failed = trunk.server.metric("b2bua_next_hops_failed_total", reason="unreachable")
    assert failed >= 1 if trunk.transport != "udp" else failed == 0
    assert trunk.server.metric("b2bua_dns_queries_total", result="found") >= 2
