"""Certificates as the credentials of a trunk, on real sockets: who shows the right one is not challenged, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Issued
from tests.interop.lab import Lab
from tests.interop.raw import text
from tests.interop.raw_tls import RawTls
from tests.interop.script import Caller
from tests.interop.server import DOMAIN, Server
from tests.interop.test_kamailio import Trunk

HOST = "127.0.0.95"
NAME = "trunk.example.net"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6010)}
SETTINGS = f"""
[entities.carrier]
address = "192.0.2.80"
transport = "tls"
certificate = "{NAME}"
"""


class Papers:
    """Certificates of the trunk: the right one, one that names it as a SIP URI, and some that are not its."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.server = self.authority.issue("server", HOST)
        self.right: Issued | None = self.authority.issue("right", NAME)
        self.uri: Issued | None = self.authority.issue("uri", f"sip:{NAME}")
        self.another: Issued | None = self.authority.issue("another", "other.example.net")
        self.wildcard: Issued | None = self.authority.issue("wildcard", "*.example.net")
        self.beside: Issued | None = self.authority.issue(NAME, "other.example.net")  # its subject does not count (RFC 5922 §7.1)
        self.none: Issued | None = None


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("server")
    (directory / "lab.toml").write_text(SETTINGS)
    issued = papers.server
    options = ["--config", "lab.toml", "--tls-cert", str(issued.certificate), "--tls-key", str(issued.key)]
    options += ["--tls-ca", str(papers.authority.certificate)]
    made = Server(directory, HOST, USERS, options=options, own_ports=("tls",))
    try:
        yield made
        made.check_healthy()
        assert made.stop() == 0
    finally:
        made.kill()


@pytest.mark.parametrize(("shows", "status"), [
    ("right", 480), ("uri", 480), ("another", 407), ("wildcard", 407), ("beside", 407), ("none", 407),
])  # fmt: skip
def test_who_is_the_trunk(server: Server, papers: Papers, shows: str, status: int) -> None:
    """To a user without a phone: 480 is as far as a call gets that is not challenged."""
    raw = RawTls(server, "6001", papers.authority.certificate, getattr(papers, shows))
    try:
        lines = raw.lines("INVITE", f"sip:6002@{DOMAIN}") | {"From": "<sip:0170@example.net>;tag=a"}
        assert raw.answer(text(lines, raw.sdp())).status == status
    finally:
        raw.close()


def test_a_trunk_that_shows_the_certificate_of_another_is_not_called(tmp_path: Path) -> None:
    """Kamailio stands at the trunk's address, and its certificate is for another name."""
    made = Trunk(tmp_path, "tls", shown="impostor.example.net")
    lab = Lab(made.server, tmp_path / "lab")
    try:
        [phone] = lab.phones(1)
        lab.start(Caller("0170").invite().refused(500), phone).finish()
        assert not [hop for hop in made.server.hops() if hop.message.method == "INVITE" and hop.transport == "tls"]
        made.server.check_healthy()
    finally:
        lab.close()
        made.close()
