"""SIP over TLS: versions, certificates asked for and refused, files that are bad, and new ones while connections stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from b2bua.sip.flow import HostPort
from b2bua.transport.kinds import TLS, WSS, Kind
from b2bua.transport.stream import LINGER_SECONDS, Limits
from b2bua.transport.tls import Files, Tls, TlsFileError, load
from tests.certificates import Authority, Issued, key_text
from tests.transaction.neighbours import reply, request
from tests.transport.secure import Peer
from tests.transport.streams import CONTACT, PHONE, Listening

OPTIONS = request("OPTIONS", transport="TLS")
DATA = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Papers:
    """Our certificate and authority, a phone's, and those of another authority."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.ours = self.authority.issue("server", "127.0.0.1")
        self.phone = self.authority.issue("phone", CONTACT[0])
        self.wrong_host = self.authority.issue("elsewhere", "192.0.2.99")
        self.stranger = Authority(directory, "Another Authority").issue("stranger", CONTACT[0])

    def files(self, asking: bool = False) -> Files:
        return Files(self.ours.certificate, self.ours.key, self.authority.certificate if asking else None)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


def listening(files: Files, kind: Kind = TLS) -> Listening:
    return Listening(kind=kind, tls=Tls(load(files)))


def connected(under_test: Listening, shows: Issued | None = None, version: int = 0, remote: HostPort = PHONE) -> Peer:
    """A phone that connects and shakes hands."""
    peer = Peer(under_test.phone(remote), server=False, shows=shows, version=version)
    peer.talk()
    return peer


# ---- connections that phones open


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_messages_both_ways(papers: Papers, version: int) -> None:
    under_test = listening(papers.files())
    peer = connected(under_test, version=version)
    assert peer.tls.get_protocol_version() == version
    peer.say(DATA + DATA)
    (_, flow), (_, again) = under_test.heard.messages
    assert flow is again is under_test.listener.find(PHONE)
    assert (flow.transport, flow.via_transport, flow.reliable) == ("tls", "TLS", True)
    assert flow.listener == f"tls:127.0.0.1:{under_test.listener.bound[1]}"
    data = flow.send(OPTIONS)
    under_test.pass_time(1)
    peer.talk()
    assert peer.take() == data


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION])
def test_old_versions_are_refused(papers: Papers, version: int) -> None:
    under_test = listening(papers.files())
    peer = connected(under_test, version=version)
    assert peer.error is not None and under_test.dropped("no TLS") == 1
    assert under_test.listener.flows() == 0 and under_test.listener.find(PHONE) is None


def test_a_flow_is_there_when_the_handshake_is_done(papers: Papers) -> None:
    """What is sent before waits for it, and the trace has it when it leaves."""
    under_test = listening(papers.files())
    peer = Peer(under_test.phone(), server=False)
    flow = under_test.listener.find(PHONE)
    assert flow is not None
    data = flow.send(OPTIONS)
    assert under_test.heard.trace == []
    peer.talk()
    assert under_test.heard.trace == [("sent", flow, data)]
    under_test.pass_time(1)
    peer.talk()
    assert peer.take() == data


@pytest.mark.parametrize("said", [b"", DATA, b"\x16\x03\x01"], ids=["nothing", "plain SIP", "half a hello"])
def test_what_is_no_handshake_goes(papers: Papers, said: bytes) -> None:
    under_test = listening(papers.files())
    pipe = under_test.phone()
    if said:
        pipe.connection.dataReceived(said)
    under_test.pass_time(Limits().whole + 4)
    assert pipe.lost and under_test.heard.messages == [] and under_test.listener.flows() == 0
    assert under_test.dropped("no TLS") == 1


def test_what_cannot_be_framed_is_answered_over_tls(papers: Papers) -> None:
    """Our side is closed behind the answer, by TLS; the socket soon."""
    under_test = listening(papers.files())
    peer = connected(under_test)
    under_test.heard.answer = reply(OPTIONS, 400)
    peer.say(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n")
    peer.talk()
    assert peer.take().startswith(b"SIP/2.0 400 ") and peer.closed
    under_test.pass_time(LINGER_SECONDS)
    assert peer.pipe.lost and under_test.listener.flows() == 0


def test_a_peer_that_closes_before_we_do(papers: Papers) -> None:
    """What was to cut the connection later finds it gone."""
    under_test = listening(papers.files())
    peer = connected(under_test)
    peer.say(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n")
    peer.pipe.lose()
    under_test.pass_time(LINGER_SECONDS + 1)
    assert under_test.listener.flows() == 0 and not peer.pipe.aborted


def test_close_ends_everything(papers: Papers) -> None:
    under_test = listening(papers.files())
    peer = connected(under_test)
    under_test.listener.close()
    peer.talk()
    assert peer.closed and under_test.accept() is None


# ---- client certificates


def test_without_authorities_nobody_is_asked(papers: Papers) -> None:
    peer = connected(listening(papers.files()), shows=papers.stranger)
    assert peer.error is None and peer.tls.get_client_ca_list() == []


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_with_authorities_clients_are_asked(papers: Papers, version: int) -> None:
    """One without a certificate is let in: it has its digest."""
    under_test = listening(papers.files(asking=True))
    for shows in (papers.phone, None):
        peer = connected(under_test, shows=shows, version=version)
        peer.say(DATA)
    assert len(under_test.heard.messages) == 2
    assert [each.CN for each in peer.tls.get_client_ca_list()] == ["Test Authority"]


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_certificate_of_another_authority_is_refused(papers: Papers, version: int) -> None:
    under_test = listening(papers.files(asking=True))
    peer = connected(under_test, shows=papers.stranger, version=version)
    assert peer.error is not None and under_test.listener.flows() == 0 and under_test.heard.messages == []


def test_browsers_are_not_asked(papers: Papers) -> None:
    """Each would ask its user for a certificate that he does not have."""
    peer = connected(listening(papers.files(asking=True), WSS))
    assert peer.error is None and peer.tls.get_client_ca_list() == []


def test_a_websocket_over_tls(papers: Papers) -> None:
    under_test = listening(papers.files(), WSS)
    peer = connected(under_test)
    assert under_test.listener.flow(PHONE).via_transport == "WSS"
    peer.say(
        b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
        b"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    under_test.pass_time(1)
    peer.talk()
    assert peer.take().startswith(b"HTTP/1.1 101 ")
    peer.say(b"\x82\x83\0\0\0\0abc")
    assert [data for data, _ in under_test.heard.messages] == [b"abc"]


# ---- connections that we open


def opened(under_test: Listening, shows: Issued, version: int = 0) -> Peer:
    """Send to a phone's Contact; the phone takes the connection and shows this."""
    under_test.listener.flow(CONTACT).send(OPTIONS)
    peer = Peer(under_test.open(), server=True, shows=shows, version=version)
    peer.talk()
    under_test.pass_time(1)
    peer.talk()
    return peer


def test_a_phone_that_proves_its_address_is_called(papers: Papers) -> None:
    under_test = listening(papers.files(asking=True))
    peer = opened(under_test, papers.phone)
    assert peer.take() == OPTIONS.encode()
    peer.say(DATA)
    assert under_test.heard.messages == [(DATA, under_test.listener.flow(CONTACT))]


@pytest.mark.parametrize("who", ["stranger", "wrong_host"])
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_phone_that_does_not_is_told_nothing(papers: Papers, who: str, version: int) -> None:
    under_test = listening(papers.files(asking=True))
    flow = under_test.listener.flow(CONTACT)
    peer = opened(under_test, getattr(papers, who), version)
    assert peer.take() == b"" and peer.pipe.lost and under_test.heard.trace == []
    assert under_test.heard.lost == [flow]
    assert under_test.dropped("certificate of another") == (who == "wrong_host")
    assert under_test.dropped("no TLS") == 1


def test_a_call_goes_to_nobody_who_only_connected_from_there(papers: Papers) -> None:
    """RFC 5923 §9: whoever is at the phone's address, and took the port of its Contact to connect from, gets no call by it. The
    phone that opened the connection is still answered, and called where it registered, on it."""
    under_test = listening(papers.files(asking=True))
    peer = connected(under_test, remote=CONTACT)
    peer.say(DATA)
    own = under_test.listener.find(CONTACT)
    assert own is under_test.heard.messages[0][1]
    flow = under_test.listener.flow(CONTACT)
    assert flow is not own and under_test.listener.flow(CONTACT) is flow
    flow.send(OPTIONS)
    under_test.pass_time(1)
    peer.talk()
    assert peer.take() == b"" and len(under_test.reactor.opening) == 1
    assert under_test.listener.find(CONTACT) is own
    flow.closed()
    assert under_test.listener.find(CONTACT) is own and under_test.heard.lost == [flow]


def test_a_connection_is_used_again_whose_peer_has_proven_its_address(papers: Papers) -> None:
    under_test = listening(papers.files(asking=True))
    peer = connected(under_test, papers.phone, remote=CONTACT)
    under_test.listener.flow(CONTACT).send(OPTIONS)
    under_test.pass_time(1)
    peer.talk()
    assert peer.take() == OPTIONS.encode() and not under_test.reactor.opening


def test_an_old_version_is_not_spoken_to(papers: Papers) -> None:
    under_test = listening(papers.files(asking=True))
    assert opened(under_test, papers.phone, SSL.TLS1_1_VERSION).take() == b"" and len(under_test.heard.lost) == 1


def test_who_takes_a_connection_and_says_nothing(papers: Papers) -> None:
    under_test = listening(papers.files(asking=True))
    flow = under_test.listener.flow(CONTACT)
    flow.send(OPTIONS)
    pipe = under_test.open()
    under_test.pass_time(Limits().whole + 4)
    assert pipe.lost and under_test.heard.lost == [flow]


# ---- files


def test_new_files_hold_for_new_connections(papers: Papers, tmp_path: Path) -> None:
    """Those that stand go on."""
    tls = Tls(load(papers.files()))
    under_test = Listening(kind=TLS, tls=tls)
    old = connected(under_test)
    renewed = Authority(tmp_path, "Next Authority").issue("server", "127.0.0.1")
    tls.credentials = load(Files(renewed.certificate, renewed.key))
    new = connected(under_test)
    issuers = [peer.tls.get_peer_certificate().to_cryptography().issuer.rfc4514_string()[3:] for peer in (old, new)]
    assert issuers == ["Test Authority", "Next Authority"]
    old.say(DATA)
    new.say(DATA)
    assert len(under_test.heard.messages) == 2


def test_key_and_certificate_in_one_file(papers: Papers, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(papers.ours.key.read_bytes() + papers.ours.certificate.read_bytes())
    assert connected(listening(Files(both))).error is None


@pytest.mark.parametrize(
    ("key", "content", "what"),
    [
        ("tls_cert", None, "No such file or directory"),
        ("tls_cert", b"nothing", "no certificate in PEM"),
        ("tls_key", None, "No such file or directory"),
        ("tls_key", b"nothing", "no private key in PEM without a passphrase"),
        ("tls_key", "hidden", "no private key in PEM without a passphrase"),
        ("tls_key", "other", "this is not the certificate's private key"),
        ("tls_ca", None, "No such file or directory"),
        ("tls_ca", b"nothing", "no certificates in PEM"),
    ],
)
def test_a_bad_file(papers: Papers, tmp_path: Path, key: str, content: bytes | str | None, what: str) -> None:
    """Its setting and one line; a key with a passphrase asks nobody."""
    bad = tmp_path / "bad.pem"
    if content == "hidden":
        bad.write_bytes(key_text(ec.generate_private_key(ec.SECP256R1()), b"passphrase"))
    elif content == "other":
        bad.write_bytes(papers.phone.key.read_bytes())
    elif isinstance(content, bytes):
        bad.write_bytes(content)
    files = papers.files(asking=True)._replace(**{FIELDS[key]: bad})
    with pytest.raises(TlsFileError) as raised:
        load(files)
    assert (raised.value.key, str(raised.value)) == (key, f"{bad}: {what}")


FIELDS = {"tls_cert": "certificate", "tls_key": "key", "tls_ca": "authorities"}
