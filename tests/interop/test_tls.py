"""TLS on real sockets: `openssl s_client`, PJSIP, certificates that change while a call stands."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certificates import Authority, Issued
from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.mixed_call import BARESIP, PJSIP, MixedCall
from tests.interop.nine_steps import nine_steps
from tests.interop.pjsip import Pjsip
from tests.interop.raw import again, text
from tests.interop.raw_tls import RawTls
from tests.interop.script import Caller
from tests.interop.server import DOMAIN, Server, free_port, wait_until

HOST = "127.0.0.62"
OPENSSL_SECONDS = 10
DROPPED = "b2bua_messages_dropped_total"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6030)}


class Papers:
    """Whom the server trusts, its certificate, a phone's, and one that nobody knows."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.server = self.authority.issue("server", HOST, "::1", "pbx.example.com")
        self.phone = self.authority.issue("phone", HOST)
        self.stranger = Authority(directory, "Another Authority").issue("stranger", HOST)

    def install(self, issued: Issued) -> None:
        """What stands in the files that the settings name."""
        (self.directory / "tls.pem").write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    made = Papers(tmp_path_factory.mktemp("papers"))
    made.install(made.server)
    return made


@pytest.fixture(scope="module")
def server(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """UDP, TLS and secure WebSocket; clients of the TLS listener are asked for a certificate."""
    ipv6 = free_port("::1", socket.SOCK_STREAM)
    certificates = ("--tls-cert", str(papers.directory / "tls.pem"), "--tls-ca", str(papers.authority.certificate))
    options = ("--listen", f"tls:[::1]:{ipv6}", *certificates)
    started = Server(tmp_path_factory.mktemp("server"), HOST, USERS, options=options, own_ports=("tls", "wss"))
    started.ports["tls over IPv6"] = ipv6
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


# ---- openssl s_client


def s_client(server: Server, papers: Papers, *arguments: str, port: str = "tls", said: str = "") -> str:
    """What the program prints of a handshake, and of the answer to what was said."""
    host = "[::1]" if "IPv6" in port else HOST
    words = ["openssl", "s_client", "-connect", f"{host}:{server.ports[port]}", "-CAfile", str(papers.authority.certificate)]
    words += ["-verify_return_error", *arguments]
    if said:
        words.append("-ign_eof")
    done = subprocess.run(words, input=said.encode(), capture_output=True, timeout=OPENSSL_SECONDS, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize(("version", "port"), [("1_2", "tls"), ("1_3", "tls"), ("1_2", "wss"), ("1_3", "wss")])
def test_tls_of_today(server: Server, papers: Papers, version: str, port: str) -> None:
    said = s_client(server, papers, f"-tls{version}", port=port)
    assert re.search(rf"New, TLSv1\.{version[-1]}, Cipher is [A-Z]", said) and "Verify return code: 0 (ok)" in said, said


@pytest.mark.parametrize("version", ["1", "1_1"])
def test_tls_of_yesterday(server: Server, papers: Papers, version: str) -> None:
    said = s_client(server, papers, f"-tls{version}", "-cipher", "ALL:@SECLEVEL=0")
    assert "Cipher is (NONE)" in said and re.search("alert protocol version|unsupported protocol", said), said


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA"])
def test_ciphers_that_hide_or_prove_nothing(server: Server, papers: Papers, cipher: str) -> None:
    said = s_client(server, papers, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in said and "alert handshake failure" in said, said


def test_clients_are_asked_for_a_certificate(server: Server, papers: Papers) -> None:
    said = s_client(server, papers, "-tls1_2")
    assert "Acceptable client certificate CA names\nCN = Test Authority\n" in said
    assert "No client certificate CA names sent" in s_client(server, papers, "-tls1_2", port="wss")


def shown(issued: Issued) -> tuple[str, ...]:
    return "-cert", str(issued.certificate), "-key", str(issued.key)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_certificate_of_another_authority(server: Server, papers: Papers, version: str) -> None:
    """The alert comes with the handshake, in TLS 1.3 right behind it."""
    request = "OPTIONS sip:example.com SIP/2.0\r\n\r\n"
    assert re.search("alert unknown ca", s_client(server, papers, version, *shown(papers.stranger), said=request))


@pytest.mark.parametrize("port", ["tls", "tls over IPv6"])
def test_a_request_by_s_client(server: Server, papers: Papers, port: str) -> None:
    """Without Content-Length, so that the server closes the connection behind its answer and the program ends."""
    via = f"SIP/2.0/TLS {HOST}:9;branch=z9hG4bKopenssl"
    request = (
        f"OPTIONS sip:example.com SIP/2.0\r\nVia: {via}\r\nFrom: <sip:6001@example.com>;tag=a\r\nTo: <sip:example.com>\r\n"
        "Call-ID: openssl\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n"
    )
    answer = s_client(server, papers, *shown(papers.phone), port=port, said=request)
    assert "SIP/2.0 400 Missing Content-Length" in answer and f"Via: {via}" in answer


# ---- what Python's own library says


@pytest.fixture
def raw(server: Server, papers: Papers) -> Iterator[RawTls]:
    made = RawTls(server, server.next_user(), papers.authority.certificate)
    yield made
    made.close()


def test_a_request_on_a_connection(raw: RawTls, server: Server) -> None:
    assert raw.register() == 200
    assert server.metric("b2bua_contacts", transport="tls") >= 1 and server.metric("b2bua_flows", transport="tls") >= 1
    (hop, *_) = server.hops(f"user={raw.user}")
    assert hop.transport == "tls"
    assert server.metric("b2bua_requests_total", method="REGISTER", transport="tls", direction="in") >= 2


def test_a_reader_that_does_not_read_is_cut(server: Server, papers: Papers) -> None:
    """What waits for it is bounded."""
    slow = RawTls(server, server.next_user(), papers.authority.certificate, buffer=4096)
    cut = server.metric(DROPPED, reason="slow reader")
    try:
        with pytest.raises(OSError):
            for _ in range(2000):
                via = f"SIP/2.0/TLS {HOST}:{slow.port};branch=z9hG4bK{slow.number()};x={'x' * 50_000}"
                slow.send(text(slow.lines("OPTIONS") | {"Via": via}).encode())
        assert server.metric(DROPPED, reason="slow reader") == cut + 1
    finally:
        slow.close()


def test_hundreds_that_say_nothing_do_not_shut_phones_out(server: Server, papers: Papers) -> None:
    """Neither a handshake nor a message: of those that prove nothing the oldest go."""
    dropped = server.metric(DROPPED, reason="too many connections")
    silent = [socket.create_connection((HOST, server.ports[port])) for port in ("tls", "wss") for _ in range(600)]
    try:
        phone = RawTls(server, server.next_user(), papers.authority.certificate)
        assert phone.register() == 200
        phone.close()
        assert server.metric(DROPPED, reason="too many connections") >= dropped + 2 * (600 - 512)
    finally:
        for each in silent:
            each.close()
    wait_until("all gone", lambda: server.metric("b2bua_flows", transport="wss") == 0)
    assert server.metric(DROPPED, reason="no TLS") >= 1200


def reload(server: Server) -> None:
    """SIGHUP, and wait until the log says what came of it."""
    said = server.log_text().count(" reloaded ") + server.log_text().count("reload_failed")
    server.process.send_signal(signal.SIGHUP)
    wait_until("reload", lambda: server.log_text().count(" reloaded ") + server.log_text().count("reload_failed") > said)


def test_new_certificates_without_a_restart(raw: RawTls, server: Server, papers: Papers, tmp_path: Path) -> None:
    """The connection that stands goes on; a new one gets the new certificate. A bad file leaves that one, and the log says
    which, in one line."""
    next_authority = Authority(tmp_path, "Next Authority")
    options = text(raw.lines("OPTIONS"))
    assert raw.issuer() == "Test Authority" and raw.answer(options).status == 200
    try:
        papers.install(next_authority.issue("server", HOST))
        reload(server)
        assert raw.answer(text(raw.lines("OPTIONS"))).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            RawTls(server, raw.user, papers.authority.certificate)
        new = RawTls(server, raw.user, next_authority.certificate)
        assert new.issuer() == "Next Authority" and new.answer(text(new.lines("OPTIONS"))).status == 200
        new.close()

        (papers.directory / "tls.pem").write_text("not a certificate")
        reload(server)
        (line,) = [line for line in server.log_text().splitlines() if "reload_failed" in line]
        assert f"tls_cert: {papers.directory}/tls.pem: no certificate in PEM" in line
        assert server.metric("b2bua_config_last_reload_successful") == 0
        still = RawTls(server, raw.user, next_authority.certificate)
        assert still.issuer() == "Next Authority"
        still.close()
    finally:
        papers.install(papers.server)
        reload(server)
    back = RawTls(server, raw.user, papers.authority.certificate)
    assert back.issuer() == "Test Authority"
    back.close()


# ---- a new connection to a phone


class Listening:
    """A phone's own TLS port, which takes one connection."""

    def __init__(self, shows: Issued) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shows.certificate, shows.key)
        self._context = context
        self._socket = socket.create_server((HOST, free_port(HOST, socket.SOCK_STREAM)))
        self._socket.settimeout(5)
        self.port = int(self._socket.getsockname()[1])

    def heard(self) -> str:
        """What the server says to it first; "" when it says nothing and closes."""
        plain, _ = self._socket.accept()
        plain.settimeout(5)
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                return secure.recv(65536).decode()
        except (ssl.SSLError, ConnectionError):
            return ""

    def close(self) -> None:
        self._socket.close()


def registered_and_gone(server: Server, papers: Papers, port: int) -> str:
    """A user whose phone registered this port over TLS, and whose connection is closed."""
    phone = RawTls(server, server.next_user(), papers.authority.certificate)
    contact = {"Contact": f"<sip:{phone.user}@{HOST}:{port};transport=tls>"}
    lines = phone.lines("REGISTER", to=f"sip:{phone.user}@{DOMAIN}") | contact
    assert phone.answer(text(again(phone, lines, phone.answer(text(lines))))).status == 200
    flows = server.metric("b2bua_flows", transport="tls")
    phone.close()
    wait_until("closed", lambda: server.metric("b2bua_flows", transport="tls") < flows)
    return phone.user


@pytest.mark.parametrize("who", ["phone", "stranger"])
def test_a_phone_is_called_at_its_contact(server: Server, papers: Papers, lab: Lab, who: str) -> None:
    """It proves its address by a certificate that we trust and hears the INVITE, or nothing: the caller gets 500."""
    listening = Listening(getattr(papers, who))
    user = registered_and_gone(server, papers, listening.port)
    (desk,) = lab.phones(1)
    run = lab.start(Caller(user).invite().refused(500), desk)
    heard = listening.heard()
    listening.close()
    if who == "phone":
        assert heard.startswith(f"INVITE sip:{user}@{HOST}:{listening.port};transport=tls SIP/2.0\r\nVia: SIP/2.0/TLS ")
    else:
        assert heard == ""
    run.finish()  # the phone went away without an answer: the transport's error is 500, too


# ---- PJSIP


@pytest.fixture(scope="module")
def phones(server: Server, papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pjsip]]:
    """Two over TLS, one over UDP. The first shows a certificate of ours, the second none."""
    directory = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        made = {}
        for name, transport, shows in (("one", "tls", papers.phone), ("two", "tls", None), ("three", "udp", None)):
            user = server.next_user()
            port = server.ports["tls"] if transport == "tls" else server.port
            ca = papers.authority.certificate if transport == "tls" else None
            phone = Pjsip(directory / name, f"{HOST}:{port}", user, USERS[user], HOST, transport, ca=ca, shows=shows)
            stack.callback(phone.close)
            phone.registered()
            made[name] = phone
        yield made


@pytest.mark.parametrize("caller", [PJSIP, BARESIP])
def test_pjsip_and_baresip(
    server: Server, papers: Papers, phones: dict[str, Pjsip], tmp_path: Path, caller: str
) -> None:
    """Either holds, either resumes, over TLS on both sides; the nine steps and the lamps as over any other transport."""
    user = server.next_user()
    address = f"{HOST}:{server.ports['tls']}"
    baresip = Baresip(tmp_path / "baresip", address, user, USERS[user], HOST, "tls", papers.authority.certificate)
    try:
        baresip.registered()
        call = MixedCall(server, phones["two"], baresip)
        call.set_up(caller)
        for holder in (caller, call.far(caller)):
            call.hold(holder)
            assert call.agreed(holder) == "sendonly" and call.lamps(holder)[0] == "no"
            nine_steps(call.hops(), call.user(holder), call.user(call.far(holder)), None, 0)
            call.resume(holder)
            assert call.lamps(holder)[0] == "yes"
        call.hang_up(call.far(caller))
        assert call.transports(PJSIP) == call.transports(BARESIP) == {"tls"}
    finally:
        baresip.close()


@pytest.mark.parametrize(
    ("near", "far", "scheme"), [("one", "two", "sip"), ("one", "three", "sip"), ("three", "two", "sip"), ("one", "two", "sips")]
)
def test_call_hold_resume_bye(server: Server, phones: dict[str, Pjsip], near: str, far: str, scheme: str) -> None:
    """Both hold, both resume; the held one is silent, as its answer says; each phone by its own transport."""
    caller, callee = phones[near], phones[far]
    caller.command("dial", uri=f"{scheme}:{callee.user}@{DOMAIN}")
    callee.state("early")
    callee.command("answer")
    for each in (caller, callee):
        each.state("confirmed")
        each.hears()
    for holder, held in ((caller, callee), (callee, caller)):
        holder.command("hold")
        holder.media("local hold")
        held.media("remote hold")
        held.says_nothing()
        assert server.metric("b2bua_calls_active", state="held") == 1
        holder.command("resume")
        holder.media("active")
        held.media("active")
        holder.hears()
        held.hears()
    callee.command("hangup")
    caller.state("disconnected")
    hops = server.hops(f"call-id={caller.call.call_id}")
    for each in (caller, callee):
        assert {hop.transport for hop in hops if each.user in hop.way and "SM" in hop.way} == {each.transport}


