"""Each real client over each of its transports: registration, calls both ways, hold and resume by either side, BYE.

Not found by `make test`: `make interop` runs it and writes what was seen into README.md (matrix.py).
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.matrix import record
from tests.interop.mixed_call import BARESIP, PJSIP, MixedCall
from tests.interop.pjsip import Pjsip
from tests.interop.raw import ANSWER_SECONDS, RawStream
from tests.interop.script import Callee, Caller
from tests.interop.server import Hop, Server

HOST = "127.0.0.72"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6060)}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    issued = authority.issue("server", HOST)
    options = ("--tls-cert", str(issued.certificate), "--tls-key", str(issued.key))
    directory = tmp_path_factory.mktemp("server")
    started = Server(directory, HOST, USERS, options=options, more=(f"tcp:{HOST}",), own_ports=("tls",))
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


def address(server: Server, transport: str) -> str:
    return f"{HOST}:{server.ports.get(transport, server.port)}"


def all_hops(server: Server, *users: str) -> list[Hop]:
    """What these phones said and heard, registrations too."""
    return [hop for hop in server.hops() if set(users) & set(hop.way) or "CM" in hop.way]


@pytest.mark.parametrize(
    ("pjsip_by", "baresip_by"), [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls"), ("udp", "tls"), ("tls", "udp")]
)
def test_pjsip_and_baresip(server: Server, authority: Authority, tmp_path: Path, pjsip_by: str, baresip_by: str) -> None:
    one, other = server.next_user(), server.next_user()
    ca = authority.certificate if "tls" in (pjsip_by, baresip_by) else None
    pjsip = Pjsip(tmp_path / "pjsip", address(server, pjsip_by), one, USERS[one], HOST, pjsip_by,
                  ca=ca if pjsip_by == "tls" else None)  # fmt: skip
    try:
        pjsip.registered()
        baresip = Baresip(tmp_path / "baresip", address(server, baresip_by), other, USERS[other], HOST, baresip_by,
                          ca if baresip_by == "tls" else None)  # fmt: skip
        try:
            baresip.registered()
            call = MixedCall(server, pjsip, baresip)
            for caller in (PJSIP, BARESIP):
                call.set_up(caller)
                for holder in (PJSIP, BARESIP):
                    call.hold(holder)
                    assert call.agreed(holder) == "sendonly" and call.lamps(holder)[0] == "no"
                    call.resume(holder)
                    assert call.lamps(holder)[0] == "yes"
                call.hang_up(call.far(caller))
                assert (call.transports(PJSIP), call.transports(BARESIP)) == ({pjsip_by}, {baresip_by})
                call = MixedCall(server, pjsip, baresip)
        finally:
            baresip.close()
    finally:
        pjsip.close()
    hops = all_hops(server, one, other)
    record(hops, "PJSIP 2.15", one)
    record(hops, "baresip 1.0", other)


@pytest.mark.parametrize(("near", "far"), [("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp"), ("tcp", "udp")])
def test_sipp(server: Server, tmp_path: Path, near: str, far: str) -> None:
    lab = Lab(server, tmp_path)
    try:
        (a,), (b,) = lab.phones(1, near), lab.phones(1, far)
        caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv")
        caller.reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").pause(200).bye()
        callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
        lab.call(a, caller, b, callee.reinvite("sendonly").reinvite("sendrecv").byed())
        lab.call(a, Caller(b.user).dial().byed(), b, Callee().ring().accept().pause(200).bye())
    finally:
        lab.close()
    hops = all_hops(server, a.user, b.user)
    for phone in (a, b):
        record(hops, "SIPp 3.6", phone.user)


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, each with a port as `RawStream` wants one."""
    with socket.create_server((HOST, 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        return ours, listening.accept()[0]


class SClient(RawStream):
    """`openssl s_client` with a test at its standard input and output."""

    transport = "TLS"

    def __init__(self, server: Server, user: str, authority: Path) -> None:
        self._authority = authority
        super().__init__(server, user)

    def _opened(self) -> socket.socket:
        ours, its = pair()
        words = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", str(self._authority)]
        with its:
            self.process = subprocess.Popen(
                [*words, "-connect", address(self._server, "tls")], stdin=its, stdout=its, stderr=subprocess.DEVNULL
            )
        ours.settimeout(ANSWER_SECONDS)
        return ours

    def close(self) -> None:
        super().close()
        self.process.kill()
        self.process.wait(5)


def test_s_client(server: Server, authority: Authority) -> None:
    client = SClient(server, server.next_user(), authority.certificate)
    try:
        assert client.register() == 200
    finally:
        client.close()
    record(all_hops(server, client.user), "openssl s_client", client.user)
