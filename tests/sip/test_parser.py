from __future__ import annotations

import pytest

from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import MAX_HEADERS, parse_message
from b2bua.sip.response_to import response_to
from tests.sip.wire import answer, invite, message


def refused(data: bytes) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data)
    return caught.value


def request(data: bytes) -> Request:
    parsed = parse_message(data)
    assert isinstance(parsed, Request)
    return parsed


def test_a_request_prints_as_it_came():
    data = invite("X-Other:value", "subject : blank", body=b"v=0\r\n\r\nbinary \x00\xff")
    parsed = request(data)
    assert (parsed.method, parsed.uri, parsed.body) == ("INVITE", "sip:6002@example.com", b"v=0\r\n\r\nbinary \x00\xff")
    assert parsed.encode() == data.replace(b"subject :", b"subject:")


def test_a_response_prints_as_it_came():
    data = answer("Server: x")
    parsed = parse_message(data)
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.reason, parsed.encode()) == (200, "OK", data)


def test_names_in_any_case_and_compact():
    data = message(
        "INVITE sip:6002@example.com SIP/2.0",
        [
            "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa",
            "F: <sip:a@example.com>;tag=1",
            "tO: <sip:b@example.com>",
            "i: c1",
            "cseq: 1 INVITE",
            "M: <sip:a@192.0.2.1>",
            "l: 0",
        ],
    )
    parsed = request(data)
    assert parsed.names == ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length"]
    assert parsed.encode() == data


def test_folding_becomes_one_space():
    parsed = request(invite("Subject: one\r\n two\r\n\t  three  ", to="\r\n <sip:6002@example.com>\r\n ;tag=t1"))
    assert parsed.get("Subject") == "one two three"
    assert (parsed.to.uri, parsed.to.tag) == ("sip:6002@example.com", "t1")
    assert b"\r\n " not in parsed.encode()


def test_blanks_before_the_colon():
    parsed = request(invite("Subject \t : x", "k\t: timer"))
    assert (parsed.get("Subject"), parsed.tokens("Supported")) == ("x", {"timer"})


def test_the_same_header_under_two_names_is_in_order():
    parsed = request(invite("Via: SIP/2.0/UDP b", "v: SIP/2.0/UDP c", "VIA : SIP/2.0/UDP d"))
    assert [value.split(";")[0] for value in parsed.elements("Via")] == [
        "SIP/2.0/UDP 192.0.2.10:5060",
        "SIP/2.0/UDP b",
        "SIP/2.0/UDP c",
        "SIP/2.0/UDP d",
    ]


# -- Content-Length (RFC 3261 §18.3, §20.14) -----------------------------------------------------------------


def test_content_length_is_added_where_it_is_missing():
    parsed = request(invite(body=b"hello", length=False))
    assert (parsed.body, parsed.get("Content-Length")) == (b"hello", "5")
    assert request(invite(length=False)).get("Content-Length") == "0"


def test_bytes_behind_content_length_are_dropped():
    data = invite("Content-Length: 3", body=b"abcdef", length=False)
    assert request(data).body == b"abc"
    assert request(data).encode() == data[:-3]


@pytest.mark.parametrize("value", ["-999", "five", "", "+5", "5;x", "5, 5", "99999999999", "٣"])
def test_content_length_that_is_no_number(value):
    error = refused(invite(f"Content-Length: {value}", body=b"hello", length=False))
    assert (error.kind, error.status) == ("content length", 400)
    assert error.request is not None


def test_content_length_beyond_the_message():
    error = refused(invite("Content-Length: 9999", body=b"hello", length=False))
    assert (error.kind, error.status) == ("truncated", 400)
    assert error.request is not None


def test_two_content_lengths_even_if_equal():
    error = refused(invite("Content-Length: 5", "l: 5", body=b"hello", length=False))
    assert (error.kind, error.reason) == ("repeated header", "Repeated Content-Length")


# -- mandatory headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_a_missing_mandatory_header_is_400(name):
    error = refused(invite(**{name.lower().replace("-", "_").replace("from", "from_"): None}))
    assert (error.kind, error.status, error.reason) == ("missing header", 400, f"Missing {name}")
    assert error.request is not None


def test_without_a_via_nobody_can_be_answered():
    error = refused(invite(via=None))
    assert (error.kind, error.request) == ("missing header", None)


def test_max_forwards_is_forgiven():
    assert request(invite(max_forwards=None)).integer("Max-Forwards") is None


@pytest.mark.parametrize(
    "line",
    [
        "From: <sip:a@example.com>;tag=2",
        "t: <sip:b@example.com>",
        "CALL-ID: x",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        "Event: dialog\r\nEvent: dialog",
        "Expires: 1\r\nExpires: 2",
    ],
)
def test_a_header_that_stands_twice_but_may_not(line):
    error = refused(invite(line))
    assert (error.kind, error.status) == ("repeated header", 400)
    assert error.request is not None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("cseq", "2147483648 INVITE"),
        ("cseq", "1"),
        ("cseq", "1 OPTIONS"),
        ("cseq", "1 invite"),
        ("cseq", "x INVITE"),
        ("to", '"open <sip:a@example.com>'),
        ("to", "Bell, A <sip:a@example.com>"),
        ("from_", "<sip:a@example.com"),
        ("call_id", ""),
        ("call_id", "a b"),
    ],
)
def test_a_mandatory_value_that_cannot_be_read_is_answered_400(header, value):
    error = refused(invite(**{header: value}))
    assert (error.kind, error.status) == ("header value", 400)
    assert error.request is not None


def test_a_refusal_can_be_built_from_what_is_there():
    """The sender finds its own broken values again (RFC 3261 §8.2.6.2)."""
    error = refused(invite(to='"open <sip:a@example.com>', cseq="99999999999 INVITE", call_id=None))
    assert error.request is not None
    response = response_to(error.request, error.status, error.reason, "t1")
    assert response.get("To") == '"open <sip:a@example.com>;tag=t1'
    assert (response.get("CSeq"), response.get("Call-ID")) == ("99999999999 INVITE", None)
    assert (response.cseq_method, response.top_via.branch) == ("INVITE", "z9hG4bKa1")


@pytest.mark.parametrize("via", ["", "SIP/2.0/UDP", "SIP/2.0/UDP 192.0.2.1;;,;,,", "garbage"])
def test_a_via_that_cannot_be_read_cannot_be_answered(via):
    error = refused(invite(via=via))
    assert (error.kind, error.status, error.request) == ("header value", 400, None)


def test_an_ack_is_never_answered():
    error = refused(invite(start="ACK sip:6002@example.com SIP/2.0", cseq="1 ACK", to="<"))
    assert (error.status, error.request) == (400, None)


@pytest.mark.parametrize(
    "changed", [{"cseq": "2147483648 INVITE"}, {"cseq": "1 IN VITE"}, {"cseq": "1 <>"}, {"to": None}]
)
def test_a_bad_response_is_dropped(changed):
    assert refused(answer(**changed)).request is None


# -- start lines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [
        "",
        " ",
        "INVITE",
        "INVITE sip:a@example.com",
        "IN(VITE sip:a@example.com SIP/2.0",
        "SIP/2.0 20 OK",
        "SIP/2.0 099 x",
        "SIP/2.0 700 x",
        "SIP/2.0 4294967301 x",
        "SIP/2.0 2x0 OK",
        "SIP/2.0 ²00 OK",
        "SIP/2.0",
        "SIP/3.0 200 OK",
        "GET / HTTP",
    ],
)
def test_a_start_line_that_is_none(start):
    error = refused(message(start, ["Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"]))
    assert error.kind in ("start line", "status line")
    assert start == "GET / HTTP" or error.request is None


@pytest.mark.parametrize("start", ["INVITE sip:a@example.com SIP/2.0  ", "INVITE sip:a@example.com SIP/2.0 "])
def test_blanks_behind_the_version_are_refused(start):
    error = refused(invite(start=start))
    assert (error.kind, error.status) == ("start line", 400)
    assert error.request is not None


@pytest.mark.parametrize(
    "uri", ["<sip:a@example.com>", "sip:a@example.com; lr", " sip:a@example.com", "sip:a@example.com "]
)
def test_a_request_uri_with_blanks_or_brackets_is_400(uri):
    error = refused(invite(start=f"INVITE {uri} SIP/2.0"))
    assert (error.kind, error.status) == ("request URI", 400)
    assert error.request is not None


@pytest.mark.parametrize("version", ["SIP/7.0", "SIP/2.1", "sip/1.0", "SIP/2.00"])
def test_another_version_is_505(version):
    error = refused(invite(start=f"INVITE sip:a@example.com {version}", via=f"{version}/UDP 192.0.2.1;branch=z9hG4bKa"))
    assert (error.kind, error.status, error.reason) == ("version", 505, "Version Not Supported")
    assert error.request is not None


def test_the_version_has_no_case_and_is_sent_in_capitals():
    """RFC 3261 §7.1"""
    assert request(invite(start="INVITE sip:a@example.com sip/2.0")).start_line() == "INVITE sip:a@example.com SIP/2.0"
    assert parse_message(answer(start="sip/2.0 200 OK")).start_line() == "SIP/2.0 200 OK"


@pytest.mark.parametrize("start", ["SIP/2.0 200", "SIP/2.0 200 "])
def test_a_reason_phrase_may_be_empty(start):
    assert parse_message(answer(start=start)).start_line() == "SIP/2.0 200 "


def test_an_unknown_method_is_as_good_as_any():
    assert request(invite(start="NEW!%41 sip:a@example.com SIP/2.0", cseq="1 NEW!%41")).method == "NEW!%41"


# -- bytes --------------------------------------------------------------------------------------------------


def test_blank_lines_in_front_are_skipped():
    """RFC 3261 §7.5"""
    assert request(b"\r\n\r\n" + invite()).encode() == invite()


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\xff" * 40, b"jaK"])
def test_what_is_no_message_at_all(data):
    assert refused(data).request is None


@pytest.mark.parametrize("sign", ["\n", "\r", "\n\r"])
def test_bare_line_ends_are_refused(sign):
    assert refused(invite(f"Subject: a{sign}Route: <sip:evil>")).kind == "line ends"
    assert refused(invite().replace(b"\r\n", sign.encode())).kind in ("line ends", "start line")


def test_nul_is_refused_unless_it_is_a_quoted_pair():
    assert refused(invite("Subject: a\0b")).kind == "null byte"
    assert request(invite(to='"NUL:\\\0" <sip:a@example.com>')).to.display == '"NUL:\\\0"'


def test_bytes_that_are_no_utf_8_pass_through():
    data = invite("Subject: caf\udce9 \udcff\udcfe", to='"\udce9" <sip:6002@example.com>')
    parsed = request(data)
    assert parsed.encode() == data
    assert parsed.copy().encode() == data
    assert b'"\xe9" <sip:6002@example.com>;tag=t' in response_to(parsed, 486, tag="t").encode()
    assert "�" in str(parsed)


def test_a_header_of_64_kilobytes():
    value = "x" * 65_000
    assert request(invite(f"Subject: {value}")).get("Subject") == value
    assert request(invite(call_id=value)).call_id == value


@pytest.mark.parametrize("line", ["Via: SIP/2.0/UDP a", "X-Unknown: a", " folded"])
def test_more_lines_than_any_message_has(line):
    assert refused(invite(*[line] * MAX_HEADERS)).kind == "too many headers"
    assert request(invite(*[line] * (MAX_HEADERS - 8))).method == "INVITE"


@pytest.mark.parametrize("line", ["no colon", "Subject", "Via", ": no name", "two words: x", "Naïve: x", "a@b: x"])
def test_a_line_that_is_no_header_is_answered_400(line):
    error = refused(invite(line))
    assert (error.kind, error.status) == ("header line", 400)
    assert error.request is not None


def test_a_fold_with_nothing_before_it():
    assert refused(
        message("INVITE sip:a@example.com SIP/2.0", [" folded", *invite().decode().split("\r\n")[1:-2]])
    ).kind == ("header line")


def test_without_the_blank_line_the_message_is_cut_short():
    error = refused(invite()[:-2])
    assert (error.kind, error.status) == ("truncated", 400)
    assert error.request is not None
    assert refused(invite()[:40]).request is None
