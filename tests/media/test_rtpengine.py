import pytest

from b2bua.media.bencode import decode, encode
from b2bua.media.ng_protocol import WEB
from b2bua.media.rtpengine import LOOK, WAITS, Rtpengine
from tests.media.reactor import Reactor

THERE = ("192.0.2.9", 2223)
SDP = b"v=0\r\n"


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def log():
    return []


@pytest.fixture
def client(reactor, log):
    made = Rtpengine(reactor, THERE, False, lambda function, argument: function(argument), lambda event, **_: log.append(event))
    made.start()
    return made


def asked(reactor, number=-1):
    """A datagram that was sent, read: cookie and dictionary."""
    data, where = reactor.port.written[number]
    assert where == THERE
    cookie, _, rest = data.partition(b" ")
    return cookie, decode(rest)


def answer(client, reactor, fields, source=THERE):
    cookie, _ = asked(reactor)
    client.datagramReceived(cookie + b" " + encode(fields), source)


def there(client, reactor):
    answer(client, reactor, {"result": "pong"})
    assert client.up


def test_it_asks_whether_anybody_is_there_and_goes_on_asking(client, reactor, log):
    assert asked(reactor)[1] == {"command": b"ping"}
    assert not client.up
    there(client, reactor)
    assert log == ["rtpengine_found"]
    for _ in range(3):
        reactor.advance(LOOK)
        assert asked(reactor)[1] == {"command": b"ping"}
        answer(client, reactor, {"result": "pong"})
    assert log == ["rtpengine_found"]


def test_nobody_is_there(client, reactor, log):
    reactor.pump(WAITS)
    assert log == ["rtpengine_lost"] and not client.up
    found = []
    client.offer("call", "a", "", SDP, "RTP/AVP", found.append)
    assert found == [None]
    reactor.advance(LOOK)
    there(client, reactor)
    assert log == ["rtpengine_lost", "rtpengine_found"]


def test_an_offer_for_a_plain_phone(client, reactor):
    there(client, reactor)
    found = []
    client.offer("call", "a", "", SDP, "RTP/AVP", found.append)
    fields = asked(reactor)[1]
    assert fields["command"] == b"offer" and fields["sdp"] == SDP
    assert (fields["call-id"], fields["from-tag"]) == (b"call", b"a") and "to-tag" not in fields
    assert (fields["transport-protocol"], fields["ICE"], fields["DTLS"]) == (b"RTP/AVP", b"remove", b"off")
    answer(client, reactor, {"result": "ok", "sdp": "v=1"})
    assert found == [b"v=1"]


def test_an_offer_for_a_browser_and_its_answer(client, reactor):
    there(client, reactor)
    client.offer("call", "a", "b", SDP, WEB, lambda body: None)
    fields = asked(reactor)[1]
    assert (fields["to-tag"], fields["transport-protocol"]) == (b"b", WEB.encode())
    assert (fields["ICE"], fields["SDES"]) == (b"force", [b"off"])
    client.answer("call", "a", "b", SDP, "RTP/AVP", lambda body: None)
    fields = asked(reactor)[1]
    assert (fields["command"], fields["from-tag"], fields["to-tag"], fields["ICE"]) == (b"answer", b"a", b"b", b"remove")


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ({"result": "ok", "tags": {}}, True),
        ({"result": "error", "error-reason": "Unknown call-id"}, False),
        ({"result": "error", "error-reason": "Something else"}, True),
    ],
)
def test_whether_it_knows_a_call(client, reactor, said, known):
    there(client, reactor)
    found = []
    client.knows("call", found.append)
    assert asked(reactor)[1] == {"command": b"query", "call-id": b"call"}
    answer(client, reactor, said)
    assert found == [known]


def test_whether_it_knows_a_call_is_not_known_while_it_is_gone(client, reactor):
    found = []
    client.knows("call", found.append)
    assert found == [None]
    there(client, reactor)
    client.knows("call", found.append)
    reactor.pump(WAITS)
    assert found == [None, None] and not client.up


def test_it_asks_again_with_the_same_cookie(client, reactor):
    there(client, reactor)
    found = []
    client.offer("call", "a", "", SDP, "RTP/AVP", found.append)
    first = asked(reactor)
    reactor.advance(WAITS[0])
    assert asked(reactor) == first
    reactor.advance(WAITS[1])
    assert asked(reactor) == first
    answer(client, reactor, {"result": "ok", "sdp": "v=1"})
    reactor.advance(WAITS[2])
    assert found == [b"v=1"]


def test_it_is_gone_when_it_does_not_answer(client, reactor, log):
    there(client, reactor)
    found = []
    client.offer("call", "a", "", SDP, "RTP/AVP", found.append)
    reactor.pump(WAITS)
    assert found == [None] and not client.up
    assert log == ["rtpengine_found", "rtpengine_lost"]


@pytest.mark.parametrize(
    "fields", [{"result": "error", "error-reason": "Unknown call-id"}, {"result": "ok"}, {}, {"result": 1, "sdp": "v=1"}]
)
def test_what_it_refuses_is_no_description(client, reactor, log, fields):
    there(client, reactor)
    found = []
    client.answer("call", "a", "b", SDP, "RTP/AVP", found.append)
    answer(client, reactor, fields)
    if found != [None]:
        assert log[-1] == "rtpengine_unreadable"
        reactor.pump(WAITS)
        assert found == [None]


def test_strangers_and_noise_are_not_heard(client, reactor):
    there(client, reactor)
    found = []
    client.offer("call", "a", "", SDP, "RTP/AVP", found.append)
    answer(client, reactor, {"result": "ok", "sdp": "evil"}, ("192.0.2.66", 2223))
    client.datagramReceived(b"", THERE)
    client.datagramReceived(b"cookie", THERE)
    client.datagramReceived(b"cookie i1e", THERE)
    client.datagramReceived(b"other d6:result2:oke", THERE)
    assert found == []
    answer(client, reactor, {"result": "ok", "sdp": "v=1"})
    answer(client, reactor, {"result": "ok", "sdp": "v=2"})
    assert found == [b"v=1"]


def test_the_call_is_over(client, reactor):
    there(client, reactor)
    client.forget("call")
    assert asked(reactor)[1] == {"command": b"delete", "call-id": b"call", "delete-delay": 0}


def test_it_stops(client, reactor):
    there(client, reactor)
    client.offer("call", "a", "", SDP, "RTP/AVP", lambda body: None)
    client.stop()
    client.stop()
    assert not reactor.getDelayedCalls()
    assert not reactor.port.open
