"""RFC 5118 §4: IPv6 in every place where SIP can carry an address."""

from __future__ import annotations

from typing import Final

from tests.torture.case import Case, sip

VIA = "SIP/2.0/UDP [2001:db8::a:1];branch=z9hG4bKv6"


def _message(start: str, *vias: str, to: str = "sip:bob@example.com", further: str = "", body: bytes = b"") -> bytes:
    lines = [start, *(f"Via: {via}" for via in vias or (VIA,)), f"To: {to}", "From: sip:alice@example.com;tag=v6"]
    lines += ["Call-ID: v6.1@alice_desk", "Max-Forwards: 70", f"CSeq: 98 {start.partition(' ')[0]}"]
    lines += [further] if further else []
    return sip("\n".join([*lines, "Content-Length: {length}"]), body)


CONTACT = 'Contact: "Alice" <sip:alice@[2001:db8::a:1]>'
SDP6 = (
    b"v=0\r\no=alice 97173 0 IN IP6 2001:db8::30\r\ns=-\r\nc=IN IP6 2001:db8::30\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 2\r\nm=video 6024 RTP/AVP 107\r\n"
)
BOTH = (
    b"v=0\r\no=bob 28074 28977 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\n"
    b"m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.50\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\n"
)
MAPPED = SDP6.replace(b"2001:db8::30", b"::ffff:192.0.2.51")
TYPED = f"{CONTACT}\nContent-Type: application/sdp"
USER = "sip:bob@[2001:db8::20]"

CASES: Final = (
    Case("4.1", "ipv6-good", _message("REGISTER sip:[2001:db8::20] SIP/2.0", further=CONTACT)),
    # Well formed for the parser, which does not read the Request-URI; whoever does raises 400.
    Case("4.2", "ipv6-bad", _message("REGISTER sip:2001:db8::20 SIP/2.0", further=CONTACT)),
    Case("4.3", "port-ambiguous", _message("REGISTER sip:[2001:db8::20:5070] SIP/2.0", further=CONTACT)),
    Case("4.4", "port-unambiguous", _message("REGISTER sip:[2001:db8::20]:5070 SIP/2.0", further=CONTACT)),
    Case(
        "4.5",
        "via-received-param-with-delim",
        _message(
            "BYE sip:[2001:db8::20] SIP/2.0",
            "SIP/2.0/UDP [2001:db8::a:1];received=[2001:db8::a:ff];branch=z9hG4bKv6",
            to="sip:bob@example.com;tag=bob6",
        ),
    ),
    Case(
        "4.5",
        "via-received-param-no-delim",
        _message(
            "OPTIONS sip:[2001:db8::20] SIP/2.0",
            "SIP/2.0/UDP [2001:db8::a:1];received=2001:db8::a:ff;branch=z9hG4bKv6",
        ),
    ),
    Case("4.6", "ipv6-in-sdp", _message(f"INVITE {USER} SIP/2.0", to=USER, further=TYPED, body=SDP6)),
    Case(
        "4.7",
        "mult-ip-in-header",
        _message(
            "BYE sip:bob@host.example.net SIP/2.0",
            "SIP/2.0/UDP [2001:db8::a:1]:6050;branch=z9hG4bKv6a",
            "SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKv6b",
            "SIP/2.0/TCP [2001:db8::a:ff];branch=z9hG4bKv6c;received=192.0.2.60",
            to="sip:bob@example.net;tag=bob6",
        ),
    ),
    Case("4.8", "mult-ip-in-sdp", _message(f"INVITE {USER} SIP/2.0", to=USER, further=TYPED, body=BOTH)),
    Case(
        "4.9",
        "ipv4-mapped-ipv6",
        _message(
            "INVITE sip:bob@example.com SIP/2.0",
            "SIP/2.0/UDP [::ffff:192.0.2.52]:19823;branch=z9hG4bKv6a",
            "SIP/2.0/UDP [::ffff:192.0.2.51];branch=z9hG4bKv6b",
            further='Contact: "A. desk" <sip:alice@[::ffff:192.0.2.51]>\nContent-Type: application/sdp',
            body=MAPPED,
        ),
    ),
    Case("4.10", "ipv6-bug-abnf-3-colons", _message("OPTIONS sip:bob@[2001:db8:::192.0.2.50] SIP/2.0")),
    Case("4.10", "ipv6-correct-abnf-2-colons", _message("OPTIONS sip:bob@[2001:db8::192.0.2.50] SIP/2.0")),
)
