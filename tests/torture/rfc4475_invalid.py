"""RFC 4475 §3.1.2: messages with a mistake in their syntax, and what this parser says to each.

Where the RFC leaves the choice, the strict side is taken for start lines and mandatory headers, and what a server only
carries through (Contact, Date, a Request-URI's headers) is left to whoever reads it.
"""

from __future__ import annotations

from typing import Final

from tests.torture.case import SDP, Case, sip


def _message(
    name: str,
    start: str = "INVITE sip:bob@example.com SIP/2.0",
    *,
    via: str = "SIP/2.0/UDP 192.0.2.41;branch=z9hG4bKinv",
    to: str = "sip:bob@example.com",
    from_: str = "sip:alice@example.net;tag=inv",
    cseq: str = "",
    length: str = "{length}",
    further: str = "",
    body: bytes = b"",
) -> bytes:
    text = f"""
{start}
Via: {via}
To: {to}
From: {from_}
Max-Forwards: 9
Call-ID: {name}.inv
CSeq: {cseq or f"8 {start.partition(' ')[0]}"}
{further}
Content-Length: {length}
"""
    return sip(text.replace("\n\n", "\n"), body)


TYPE = "Content-Type: application/sdp"
INVITING = f"Contact: <sip:alice@desk.example.net>\n{TYPE}"
OPTIONS = "OPTIONS sip:bob@example.com SIP/2.0"
REGISTER = "REGISTER sip:example.com SIP/2.0"

CASES: Final = (
    # The top Via itself is broken, so the 400 has nowhere to go.
    Case(
        "3.1.2.1",
        "badinv01",
        _message(
            "badinv01",
            via="SIP/2.0/UDP 192.0.2.41;;,;,,",
            further=f'Contact: "Al" <sip:alice@example.net>;;;;\n{TYPE}',
            body=SDP,
        ),
        400,
        answered=False,
    ),
    Case("3.1.2.2", "clerr", _message("clerr", length="9999", further=INVITING, body=SDP), 400),
    Case("3.1.2.3", "ncl", _message("ncl", cseq="0 INVITE", length="-999", further=INVITING, body=SDP), 400),
    Case("3.1.2.3", "ncl (five)", _message("ncl", length="five", further=INVITING, body=SDP), 400),
    Case(
        "3.1.2.4",
        "scalar02",
        _message(
            "scalar02",
            REGISTER,
            cseq="73786976294838206464 REGISTER",
            further=f"Expires: 1{'0' * 100}\nContact: <sip:alice@host.example.com>\n  ;expires=380297596632815",
        ),
        400,
    ),
    Case(
        "3.1.2.5",
        "scalarlg",
        _message(
            "scalarlg",
            "SIP/2.0 503 Service Unavailable",
            cseq="8292394834772304023312 OPTIONS",
            further='Retry-After: 849302838503028349304023988\nWarning: 1812 example.com "Under way"',
        ),
        400,
        answered=False,
    ),
    Case("3.1.2.6", "quotbal", _message("quotbal", to='"Mr. B. User <sip:bob@example.com>', further=INVITING, body=SDP), 400),
    Case("3.1.2.7", "ltgtruri", _message("ltgtruri", "INVITE <sip:bob@example.com> SIP/2.0", further=INVITING, body=SDP), 400),
    Case("3.1.2.8", "lwsruri", _message("lwsruri", "INVITE sip:bob@example.com; lr SIP/2.0", further=INVITING, body=SDP), 400),
    Case("3.1.2.9", "lwsstart", _message("lwsstart", "INVITE  sip:bob@example.com  SIP/2.0", further=INVITING, body=SDP), 400),
    Case("3.1.2.10", "trws", _message("trws", f"{OPTIONS}  "), 400),
    Case(
        "3.1.2.11",
        "escruri",
        _message("escruri", "INVITE sip:bob@example.com?Route=%3Csip:example.com%3E SIP/2.0", further=INVITING, body=SDP),
    ),
    Case("3.1.2.12", "baddate", _message("baddate", further=f"Date: Fri, 06 Jan 2012 16:00:00 EST\n{INVITING}", body=SDP)),
    Case(
        "3.1.2.13",
        "regbadct",
        _message("regbadct", REGISTER, further="Contact: sip:bob@example.com?Route=%3Csip:sip.example.com%3E"),
    ),
    Case(
        "3.1.2.14",
        "badaspec",
        _message(
            "badaspec",
            OPTIONS,
            from_='"Liddell, Alice" <sip:alice@example.com>;tag=ba',
            to='"Jones, Bob" < sip:bob@example.org >',
        ),
    ),
    Case(
        "3.1.2.15",
        "baddn",
        _message(
            "baddn",
            OPTIONS,
            from_="Liddell, Alice <sip:alice@example.com>;tag=bd",
            to="Jones, Bob <sip:bob@example.org>",
        ),
        400,
    ),
    Case(
        "3.1.2.16",
        "badvers",
        _message(
            "badvers",
            "OPTIONS sip:bob@example.org SIP/7.0",
            via="SIP/7.0/UDP d.example.com;branch=z9hG4bKver",
            from_="A. Liddell <sip:alice@example.com>;tag=bv",
            to="B. Jones <sip:bob@example.org>",
        ),
        505,
    ),
    Case("3.1.2.17", "mismatch01", _message("mismatch01", OPTIONS, cseq="8 INVITE"), 400),
    Case(
        "3.1.2.18",
        "mismatch02",
        _message("mismatch02", "FRESHMETHOD sip:bob@example.com SIP/2.0", cseq="8 INVITE", further=INVITING, body=SDP),
        400,
    ),
    Case(
        "3.1.2.19",
        "bigcode",
        _message("bigcode", "SIP/2.0 4294967495 hold on to your hat", cseq="353494 INVITE"),
        400,
        answered=False,
    ),
)
