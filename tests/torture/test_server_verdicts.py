"""Every message of RFC 4475 and RFC 5118 to a running server: what it is answered, and that the next is served as ever.

On the virtual network, as datagrams and on a connection; tests/interop/test_torture.py has the same on real sockets, where
a connection can be spoilt.
"""

from __future__ import annotations

from typing import Final

import pytest

from b2bua.config.tables import CHALLENGEABLE
from b2bua.sip.flow import HostPort
from b2bua.sip.message import Message, Request
from b2bua.sip.parser import parse_message
from tests.scenarios.options import Options, password
from tests.scenarios.scene import LONGEST, register
from tests.scenarios.script_call import register_text
from tests.scenarios.script_phone import ScriptPhone, response
from tests.scenarios.server_under_test import TCP_SERVER, ServerUnderTest
from tests.scenarios.virtual_network import SERVER, VirtualNetwork
from tests.torture.case import Case
from tests.torture.verdicts import CASES, GOES_ON, RFC_4475, VERDICTS

USERS: Final = ("alice", "bob", "plain")
V6: Final = (("2001:db8::20", 5060), ("2001:db8::20", 5070))
"""What RFC 5118's messages are sent to, taken for addresses of ours."""
HOST: Final = "192.0.2.77"
PORTS: Final = (5060, 5070, 6050, 19823)
"""Every port that a Via of theirs names."""
OWNERS: Final = {"intmeth": "plain", "ipv6-good": "bob"}
"""Whose credentials a known sender has; else those of the user in its To or From."""

DATA: Final = {case.name: case.data for case in CASES}


class Sender:
    """Whoever sends the message, at every port of its Vias; a `Host` of the network."""

    name = "peer"

    def __init__(self, network: VirtualNetwork) -> None:
        self.heard: list[bytes] = []
        for port in PORTS:
            network.attach(self, (HOST, port))

    def datagram(self, data: bytes, source: HostPort) -> None:
        self.heard.append(data)

    @property
    def statuses(self) -> list[int]:
        """Final answers, each once."""
        # Read off the start line: an answer to what lacks a To lacks it too.
        found = [int(data.split()[1]) for data in dict.fromkeys(self.heard)]
        return [status for status in found if status >= 200]


class Bench:
    """A server that challenges, or one that knows whoever sends; bob is registered, alice is not yet."""

    def __init__(self, transport: str, *, known: bool = False) -> None:
        self.network = VirtualNetwork()
        open_to_all = dict.fromkeys(CHALLENGEABLE - {"REGISTER"}, "none") if known else {}
        self.server = ServerUnderTest(self.network, Options(tcp=True, challenge=open_to_all), USERS)
        if known:
            self.server.domain.listens_on(V6)
        self.bob = ScriptPhone(self.network, "bob", ("192.0.2.12", 5060))
        self.alice = ScriptPhone(self.network, "alice", ("192.0.2.11", 5060))
        register(self.bob)
        self.sender = Sender(self.network)
        self._destination = {"UDP": SERVER, "TCP": TCP_SERVER}[transport]

    def send(self, data: bytes) -> None:
        self.network.send(data, (HOST, PORTS[0]), self._destination)
        self.network.run()

    def judge(self, data: bytes) -> int | str:
        """What becomes of a message, in the words of a verdict."""
        dropped = self.server.observer.counts["messages_dropped"]
        before = dict(dropped)
        self.send(data)
        if self.bob.inbox:
            return GOES_ON
        if self.sender.statuses:
            [status] = self.sender.statuses
            return status
        [reason] = [reason for (reason,), count in dropped.items() if count != before.get((reason,), 0)]
        return reason

    def credentials(self, method: str, uri: str, user: str) -> bytes:
        """A header line that answers a challenge of this server."""
        self.alice >> register_text(self.alice, 1)
        challenge = self.alice << "401 REGISTER"
        return f"{self.alice.credentials(challenge, method, uri, user, password(user))}\r\n".encode()

    def signed(self, name: str) -> bytes:
        """The message as a known sender sends it: where a server always asks, with an answer."""
        data = DATA[name]
        method, uri = data.split(None, 2)[:2]
        message = parse_message(data)
        if self.challenged(message) and name != "regaut01":
            user = OWNERS.get(name, "bob")
            line = self.credentials(method.decode("latin-1"), uri.decode("latin-1"), user)
            data = data.replace(b"\r\n", b"\r\n" + line, 1)
        return data

    def challenged(self, message: Message) -> bool:
        return isinstance(message, Request) and message.method not in CHALLENGEABLE - {"REGISTER"}

    def arrived(self) -> Request:
        """What bob's phone got; it answers 486 or 200."""
        message = self.bob.inbox.popleft()
        assert isinstance(message, Request)
        self.bob >> response(message, 486 if message.method == "INVITE" else 200, "bob1")
        return message

    def serves(self) -> None:
        """The next one is served, nothing was a mistake of ours, and in the end nothing is left."""
        self.alice.inbox.clear()
        self.alice >> register_text(self.alice, 7)
        challenge = self.alice << "401 REGISTER"
        self.alice >> register_text(self.alice, 8, self.alice.credentials(challenge, "REGISTER", "sip:example.com"))
        self.alice << "200 REGISTER"
        assert not self.server.errors, self.network.text()


def test_every_message_has_a_verdict() -> None:
    assert set(VERDICTS) == {case.name for case in CASES}
    assert len({case.name for case in RFC_4475 if " " not in case.name}) == 49
    assert len(CASES) - len(RFC_4475) == 12


def test_only_what_the_parser_refuses_is_refused_unread() -> None:
    for case in CASES:
        if case.status and case.answered:
            assert VERDICTS[case.name].stranger == VERDICTS[case.name].known == case.status


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_from_a_stranger(case: Case) -> None:
    """As datagrams; a connection reads them differently, see tests/interop/test_torture.py."""
    bench = Bench("UDP")
    verdict = VERDICTS[case.name]
    assert bench.judge(case.data) == verdict.stranger, f"{verdict.why}\n{bench.network.text()}"
    assert not bench.bob.inbox
    bench.serves()


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("case", [case for case in CASES if not case.status], ids=lambda case: case.name)
def test_from_a_known_sender(case: Case, transport: str) -> None:
    """The well formed ones: behind the challenge the message itself decides."""
    bench = Bench(transport, known=True)
    verdict = VERDICTS[case.name]
    assert bench.judge(bench.signed(case.name)) == verdict.known, f"{verdict.why}\n{bench.network.text()}"
    if verdict.known == GOES_ON:
        told = 486 if bench.arrived().method == "INVITE" else 200
        assert bench.sender.statuses == [told], bench.network.text()
    bench.serves()
    bench.network.advance(LONGEST)
    assert not bench.server.leaks(), bench.network.text()


# -- what single verdicts do not say ------------------------------------------------------------------------------------


def known(name: str) -> Bench:
    """The message has been sent to a server that knows its sender."""
    bench = Bench("UDP", known=True)
    bench.judge(bench.signed(name))
    return bench


def answer(bench: Bench) -> Message:
    return parse_message(bench.sender.heard[-1])


def test_4475_3_1_1_1_wsinv_again_is_the_same_transaction() -> None:
    """Its branch is not RFC 3261's: it is told by the older rule (RFC 3261 §17.2.3), and is not a second request."""
    bench = Bench("UDP")
    bench.send(DATA["wsinv"])
    bench.send(DATA["wsinv"])
    assert bench.sender.heard[0] == bench.sender.heard[1]
    assert bench.server.observer.counts["retransmissions"]["in", "INVITE"] == 1


def test_4475_3_1_1_8_dblreq_noise_behind_a_datagram_is_not_forwarded() -> None:
    bench = known("dblreq")
    assert answer(bench).cseq_method == "REGISTER"
    assert b"INVITE" not in bench.network.text().encode()


def test_4475_3_1_1_10_transports_go_on_below_our_own_via() -> None:
    bench = known("transports")
    arrived = bench.arrived()
    assert [via.split()[0] for via in arrived.elements("Via")][1:] == [
        "SIP/2.0/UDP", "SIP/2.0/SCTP", "SIP/2.0/TLS", "SIP/2.0/STRANGE", "SIP/2.0/TCP",
    ]  # fmt: skip


def test_4475_3_1_2_11_escruri_no_escaped_header_goes_on() -> None:
    arrived = known("escruri").arrived()
    assert "?" not in arrived.uri
    assert "<sip:example.com>" not in arrived.elements("Route")


def test_4475_3_1_2_12_baddate_goes_on_as_it_is() -> None:
    bench = known("baddate")
    assert [value for value in bench.arrived().get_all("Date") if value != "Fri, 06 Jan 2012 16:00:00 EST"] == []


def test_4475_3_2_1_badbranch_two_requests_are_not_taken_for_one() -> None:
    """The bare cookie identifies nothing: another Call-ID is another transaction."""
    bench = Bench("UDP")
    bench.send(DATA["badbranch"])
    bench.send(DATA["badbranch"].replace(b"app.1@", b"app.2@"))
    assert bench.sender.statuses == [407, 407]
    assert not bench.server.observer.counts["retransmissions"]["in", "OPTIONS"]


def test_4475_3_3_5_bext01_says_what_it_does_not_know() -> None:
    assert answer(known("bext01")).get("Unsupported") == "noProxyHasThis, norDoesAnyHaveThis"


def test_4475_3_3_6_invut_the_body_goes_on_as_it_is() -> None:
    arrived, sent = known("invut").arrived(), parse_message(DATA["invut"])
    assert (arrived.get("Content-Type"), arrived.body) == ("application/unheardof", sent.body)


def test_4475_3_3_15_sdp01_says_why() -> None:
    bench = known("sdp01")
    assert (answer(bench).get("Warning") or "").startswith("399 ")


def test_4475_3_3_7_regaut01_gets_a_scheme_that_we_know() -> None:
    assert (answer(known("regaut01")).get("WWW-Authenticate") or "").startswith("Digest ")


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("cparam01", "sip:+15555550100@gw2.example.net;expires="),
        ("cparam02", "<sip:+15555550100@gw2.example.net;unheardof>"),
        ("regescrt", "<sip:bob@example.com?Route=%3Csip:sip.example.com%3E>"),
    ],
)
def test_4475_3_3_12_to_14_what_a_later_fetch_lists(name: str, listed: str) -> None:
    """A parameter of the Contact is none of the binding's URI; one of the URI, and its escaped header, stay."""
    bench = known(name)
    bob = bench.bob
    fetch = register_text(bob, 11).replace(f"Contact: {bob.contact}\r\n", "")
    bob >> fetch
    credentials = bob.credentials(bob << "401 REGISTER", "REGISTER", "sip:example.com")
    bob >> fetch.replace("CSeq: 11", "CSeq: 12").replace("branch=", "branch=z9hG4bK-again-").replace(
        "Expires:", f"{credentials}\r\nExpires:"
    )
    contacts = (bob << "200 REGISTER").elements("Contact")
    found = [value for value in contacts if listed.strip("<>").partition(";")[0] in value]
    assert len(found) == 1, contacts
    if name == "cparam01":
        assert "unheardof" not in found[0].partition(">")[0].partition("<")[2]
    else:
        assert listed in found[0]


def test_4475_3_3_10_bcast_nothing_goes_to_a_broadcast_address() -> None:
    bench = known("bcast")
    assert "255.255.255.255" not in bench.network.text()


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_5118_4_5_received_of_the_senders_own_is_not_believed(name: str) -> None:
    """The answer goes to where the request came from (RFC 3261 §18.2.1); it carries what we saw."""
    bench = known(name)
    assert len(bench.sender.heard) == 1
    assert answer(bench).top_via.parameter("received") == HOST


@pytest.mark.parametrize("name", ["ipv6-in-sdp", "mult-ip-in-sdp", "ipv4-mapped-ipv6"])
def test_5118_4_6_to_9_addresses_of_the_description_go_on(name: str) -> None:
    arrived = known(name).arrived()
    sent = parse_message(DATA[name])

    def lines(message: Message) -> list[bytes]:
        return [line for line in message.body.splitlines() if line.startswith((b"c=", b"m="))]

    assert lines(arrived) == lines(sent)
