"""RFC 4475 §3.2 to §3.4: messages that ask the upper layers something; here, what the parser makes of them."""

from __future__ import annotations

from typing import Final

from tests.torture.case import SDP, Case, sip

FIXED = """Via: SIP/2.0/UDP 192.0.2.42;branch=z9hG4bKapp
To: sip:bob@example.com
From: sip:alice@example.net;tag=app
Call-ID: app.1@192.0.2.42
"""


def _message(start: str, further: str = "", body: bytes = b"", *, hops: int = 7, fixed: str = FIXED) -> bytes:
    lines = f"{start}\n{fixed}Max-Forwards: {hops}\nCSeq: 8 {start.partition(' ')[0]}\n{further}\nl: {{length}}"
    return sip(lines.replace("\n\n", "\n"), body)


INVITE = "INVITE sip:bob@example.com SIP/2.0"
OPTIONS = "OPTIONS sip:bob@example.com SIP/2.0"
REGISTER = "REGISTER sip:example.com SIP/2.0"
TYPE = "Content-Type: application/sdp"
CONTACT = "Contact: <sip:alice@desk.example.net>"

INSUF = sip(
    """
    INVITE sip:bob@example.com SIP/2.0
    CSeq: 293942 INVITE
    Via: SIP/2.0/UDP 192.0.2.42;branch=z9hG4bKinsuf
    Content-Type: application/sdp
    l: {length}
    """,
    SDP,
)
MULTI01 = _message(
    INVITE,
    "Contact: <sip:alice@h1.example.net>\nCSeq: 59 INVITE\nCall-ID: app.2@192.0.2.42\nTo: sip:carol@example.net\n"
    f"From: sip:alice@example.net;tag=other\n{TYPE}\nContact: <sip:alice@h2.example.net>\nMax-Forwards: 5",
    SDP,
)
MCL01 = sip(
    """
    OPTIONS sip:bob@example.com SIP/2.0
    Via: SIP/2.0/UDP host6.example.net;branch=z9hG4bKmcl
    To: sip:bob@example.com
    From: sip:alice@example.net;tag=mcl
    Call-ID: mcl01.1
    CSeq: 15933 OPTIONS
    Content-Length: 13
    Max-Forwards: 60
    Content-Length: 5
    Content-Type: text/plain
    """,
    b"Nobody knows how long this text is meant to be.",
)
BCAST = sip(
    """
    SIP/2.0 200 OK
    Via: SIP/2.0/UDP 192.0.2.43;branch=z9hG4bKbc1
    Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKbc2
    Call-ID: bcast.1
    CSeq: 36 INVITE
    From: sip:alice@example.com;tag=bc1
    To: sip:bob@example.org;tag=bc2
    Content-Length: {length}
    Content-Type: application/sdp
    Contact: <sip:bob@host43.example.com>
    """,
    SDP,
)
INV2543 = sip(
    """
    INVITE sip:UserB@example.com SIP/2.0
    Via: SIP/2.0/UDP gateway.example.com
    From: <sip:+15555550100@gateway.example.net;user=phone>
    Record-Route: <sip:UserB@example.com;maddr=ss2.example.com>
    To: sip:+15555550101@ss2.example.net;user=phone
    Call-ID: inv2543.1@gateway.example.com
    CSeq: 57 INVITE
    Content-Type: application/sdp
    """,
    SDP,
)
UNKSM2 = sip(
    """
    REGISTER sip:example.com SIP/2.0
    To: isbn:9780000000002
    From: <http://www.example.com>;tag=unk2
    Call-ID: unksm2.1@hyphened-host.example.com
    CSeq: 234903 REGISTER
    Max-Forwards: 70
    Via: SIP/2.0/UDP 192.0.2.42:5060;branch=z9hG4bKunk2
    Contact: <name:Bob_Jones>
    l: 0
    """
)

CASES: Final = (
    Case("3.2.1", "badbranch", _message(OPTIONS, fixed=FIXED.replace("z9hG4bKapp", "z9hG4bK"))),
    Case("3.3.1", "insuf", INSUF, 400),
    Case("3.3.2", "unkscm", _message("OPTIONS nobodyHasHeardOfThis:allopaque SIP/2.0")),
    Case("3.3.3", "novelsc", _message("OPTIONS soap.beep://192.0.2.44:3002 SIP/2.0")),
    Case("3.3.4", "unksm2", UNKSM2),
    Case(
        "3.3.5",
        "bext01",
        _message(OPTIONS, "Require: nothingHasThis, norThis\nProxy-Require: noProxyHasThis, norDoesAnyHaveThis"),
    ),
    Case(
        "3.3.6",
        "invut",
        _message(INVITE, f"{CONTACT}\nContent-Type: application/unheardof", b'<audio>\r\n <pcmu port="443"/>\r\n</audio>\r\n'),
    ),
    Case("3.3.7", "regaut01", _message(REGISTER, "Authorization: SomeSchemeOfTheirs opaque-data=here")),
    Case("3.3.8", "multi01", MULTI01, 400),
    Case("3.3.9", "mcl01", MCL01, 400),
    Case("3.3.10", "bcast", BCAST),
    Case("3.3.11", "zeromf", _message(OPTIONS, hops=0)),
    Case("3.3.12", "cparam01", _message(REGISTER, "Contact: sip:+15555550100@gw2.example.net;unheardof")),
    Case("3.3.13", "cparam02", _message(REGISTER, "Contact: <sip:+15555550100@gw2.example.net;unheardof>")),
    Case("3.3.14", "regescrt", _message(REGISTER, "M: <sip:bob@example.com?Route=%3Csip:sip.example.com%3E>")),
    Case("3.3.15", "sdp01", _message(INVITE, f"{CONTACT}\nAccept: text/unheardof\n{TYPE}", SDP)),
    Case("3.4.1", "inv2543", INV2543),
)
