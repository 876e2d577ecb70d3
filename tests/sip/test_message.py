from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from tests.sip.wire import invite


def made(*lines: str, method: str = "INVITE") -> Request:
    """A request of header lines in canonical spelling."""
    return Request(method, "sip:6002@example.com", [line.partition(":")[0] for line in lines], list(lines))


def parsed(*extra: str, **changed: str | None) -> Request:
    request = parse_message(invite(*extra, **changed))
    assert isinstance(request, Request)
    return request


def test_values_are_read_when_asked_for():
    request = parsed("Require: a", "Subject:   x  ")
    assert (request.cseq, request.cseq_method, request.call_id) == (1, "INVITE", "c1@192.0.2.10")
    assert (request.from_.tag, request.to.tag, request.top_via.branch) == ("f1", "", "z9hG4bKa1")
    assert (request.get("Subject"), request.get("Date"), request.has("Require"), request.has("Date")) == (
        "x", None, True, False,
    )  # fmt: skip
    contact = request.contact()
    assert contact is not None
    assert contact.uri == "sip:6001@192.0.2.10:5060"
    assert parsed(contact=None).contact() is None
    assert request.parsed_uri().user == "6002"


def test_elements_come_from_all_lines_in_order_without_empty_ones():
    message = made('Route: <sip:a,1>,"x, y" <sip:b>', "Subject: no", "Route: , <sip:c> ,", "Route:")
    assert message.elements("Route") == ["<sip:a,1>", '"x, y" <sip:b>', "<sip:c>"]
    assert message.get_all("Route") == ['<sip:a,1>,"x, y" <sip:b>', ", <sip:c> ,", ""]
    assert made("Supported: Timer, 100REL;x").tokens("Supported") == {"timer", "100rel"}
    assert made().tokens("Supported") == set()


@pytest.mark.parametrize(
    ("value", "number"), [("70", 70), ("0068", 68), ("3600;refresher=uac", 3600), ("9999999999", 2**32 - 1)]
)
def test_numbers(value, number):
    assert made(f"Expires: {value}").integer("Expires") == number


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.5", "x", "²", "1" + 100 * "0"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(MalformedValue):
        made(f"Expires: {value}").integer("Expires")


def test_a_number_that_is_not_there_is_none():
    assert made().integer("Expires") is None


@pytest.mark.parametrize(
    ("value", "number"),
    [("0 ACK", 0), ("2147483647 ACK", 2**31 - 1), ("0009   ACK", 9), ("1\tACK", 1), ("1 \t ACK", 1)],
)
def test_cseq_within_its_limits(value, number):
    message = made(f"CSeq: {value}")
    assert (message.cseq, message.cseq_method) == (number, "ACK")


@pytest.mark.parametrize("value", ["", "1", "ACK", "2147483648 ACK", "4294967296 ACK", "-1 ACK", "1ACK", "1 ", "٣ ACK"])
def test_cseq_out_of_its_limits(value):
    with pytest.raises(MalformedValue):
        _ = made(f"CSeq: {value}").cseq


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("Route: <sip:a>", None),
        ("Route: <sip:a>,<sip:b>", "Route: <sip:b>"),
        ("Route: <sip:a;x=1,2> , <sip:b>,<sip:c>", "Route: <sip:b>,<sip:c>"),
        ('Route: "Bell, A" <sip:a>, "x,y" <sip:b>', 'Route: "x,y" <sip:b>'),
        (r'Route: "a\",<" <sip:a>;p="q,r", <sip:b>', "Route: <sip:b>"),
        ("Route: <sip:a>,", None),
        ("Route: ,<sip:a>,<sip:b>", "Route: <sip:b>"),
    ],
)
def test_remove_first_takes_one_value(line, rest):
    message = made("Subject: x", line, "Route: <sip:last>")
    message.remove_first("Route")
    assert message.lines == ["Subject: x", *([rest] if rest else []), "Route: <sip:last>"]
    assert message.names == [line.partition(":")[0] for line in message.lines]


def test_remove_first_passes_over_empty_lines():
    message = made("Route:", "Route: ,", "Route: <sip:a>", "Route: <sip:b>")
    message.remove_first("Route")
    assert message.elements("Route") == ["<sip:b>"]


def test_remove_first_agrees_with_elements():
    message = made("Via: SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2", "Via: SIP/2.0/UDP c;branch=3")
    seen = []
    while message.has("Via"):
        seen.append(message.top_via.branch)
        message.remove_first("Via")
    assert seen == ["1", "2", "3"]


def test_typed_values_follow_their_lines():
    request = parsed().copy()
    request.insert_before("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnew")
    assert request.top_via.branch == "z9hG4bKnew"
    request.remove_first("Via")
    assert request.top_via.branch == "z9hG4bKa1"
    request.replace("CSeq", "2 INVITE")
    request.replace("To", "<sip:6002@example.com>;tag=t1")
    request.replace("From", "<sip:6001@example.com>;tag=f2")
    request.replace("Call-ID", "c2")
    assert (request.cseq, request.to.tag, request.from_.tag, request.call_id) == (2, "t1", "f2", "c2")


def test_a_copy_leaves_the_original_alone():
    original = parsed()
    before = original.encode()
    copy = original.copy()
    copy.insert_before("Record-Route", "<sip:192.0.2.1;lr>")
    copy.remove("Max-Forwards")
    copy.set_body(b"x", "text/plain")
    assert original.encode() == before
    assert copy.call_id == original.call_id


def test_a_proxys_copy_is_made_in_one_pass():
    """RFC 3261 §16.6: Request-URI, Max-Forwards, our Routes off, our Record-Routes above the others."""
    original = made(
        "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa", "Route: <sip:a>,<sip:b>", "Route: <sip:c>", "Max-Forwards: 70",
        "Record-Route: <sip:r>", "Call-ID: c1",
    )  # fmt: skip
    before = original.encode()
    forwarded = original.forwarded("sip:next@192.0.2.20", 69, 2, ["<sip:new>", "<sip:older>"])
    assert (forwarded.uri, forwarded.call_id) == ("sip:next@192.0.2.20", "c1")
    assert forwarded.lines == [
        "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa", "Route: <sip:c>", "Max-Forwards: 69",
        "Record-Route: <sip:new>", "Record-Route: <sip:older>", "Record-Route: <sip:r>", "Call-ID: c1",
    ]  # fmt: skip
    assert forwarded.names == [line.partition(":")[0] for line in forwarded.lines]
    assert original.encode() == before
    bare = made("Call-ID: c1").forwarded("sip:x", 70, 0, ["<sip:new>"])
    assert bare.lines == ["Call-ID: c1", "Max-Forwards: 70", "Record-Route: <sip:new>"]


def test_lines_are_put_where_they_belong():
    message = made("Via: a", "Route: <sip:b>")
    message.insert_before("Route", "<sip:a>")
    message.insert_before("Record-Route", "<sip:r>")
    message.replace("Max-Forwards", "70")
    message.replace("Max-Forwards", "69")
    assert message.lines == ["Via: a", "Route: <sip:a>", "Route: <sip:b>", "Record-Route: <sip:r>", "Max-Forwards: 69"]
    message.remove("Route")
    assert message.names == ["Via", "Record-Route", "Max-Forwards"]


def test_a_body_brings_and_takes_its_headers():
    message = made("Content-Disposition: session")
    message.set_body(b"v=0\r\n", "application/sdp")
    assert message.get("Content-Type") == "application/sdp"
    assert message.get("Content-Length") == "5"
    message.set_body(b"")
    assert (message.names, message.body) == (["Content-Length"], b"")
    assert message.get("Content-Length") == "0"


def test_a_response_copies_what_names_the_transaction():
    """RFC 3261 §8.2.6.2, compact and odd spellings included; the Vias stand first and in order."""
    request = parsed("v: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKb", "Timestamp: 54", "Require: x")
    response = response_to(request, 480, tag="t1")
    assert response.encode() == (
        b"SIP/2.0 480 Temporarily Unavailable\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa1;rport\r\n"
        b"v: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKb\r\n"
        b'From: "6001" <sip:6001@example.com>;tag=f1\r\n'
        b"To: <sip:6002@example.com>;tag=t1\r\n"
        b"Call-ID: c1@192.0.2.10\r\n"
        b"CSeq: 1 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert response.to.tag == "t1"


def test_a_response_keeps_the_tag_that_is_there():
    response = response_to(parsed(to="<sip:6002@example.com>;tag=old"), 200, tag="new")
    assert response.get("To") == "<sip:6002@example.com>;tag=old"


def test_a_response_lacks_what_its_request_lacks():
    broken = made("Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa", "CSeq: 1 INVITE", "Call-ID: c1")
    broken.read_leniently()
    assert response_to(broken, 400, tag="t1").lines == [*(broken.lines[i] for i in (0, 2, 1)), "Content-Length: 0"]
    assert response_to(made(), 400, tag="t1").lines == ["Content-Length: 0"]


def test_100_takes_no_tag_and_carries_the_timestamp():
    """RFC 3261 §8.2.6.1"""
    response = response_to(parsed("Timestamp: 54"), 100)
    assert (response.to.tag, response.get("Timestamp"), response.reason) == ("", "54", "Trying")
    assert response_to(parsed(), 299).reason == "Unknown"
    assert response_to(parsed(), 200, "Fine").reason == "Fine"


def test_a_proxy_takes_its_via_off():
    request = parsed("Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKb")
    response = response_to(request, 200)
    upstream = response.without_top_via()
    assert (upstream.top_via.branch, response.top_via.branch) == ("z9hG4bKb", "z9hG4bKa1")
    assert upstream.call_id == request.call_id


def test_texts_for_people():
    request = parsed()
    assert repr(request) == "<INVITE sip:6002@example.com c1@192.0.2.10 1 INVITE>"
    assert repr(response_to(request, 200)) == "<200 OK c1@192.0.2.10 1 INVITE>"
    assert str(request) == invite().decode()


def test_a_message_without_a_start_line_is_neither():
    with pytest.raises(NotImplementedError):
        Message([], []).encode()
    assert Response(200, "", [], []).encode() == b"SIP/2.0 200 \r\n\r\n"
