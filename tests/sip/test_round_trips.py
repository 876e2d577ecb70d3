"""What is printed reads back the same, and what cannot be read raises what it should: for values nobody thought of."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.address import Address, parse_address, quote_string
from b2bua.sip.dialog_info import STATES, DialogInfo, DialogState, Participant, parse_dialog_info
from b2bua.sip.digest import parse_credentials
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.feature_status import FeatureStatus
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.message_summary import voice_messages
from b2bua.sip.names import MANDATORY, SINGLE, canonical_name
from b2bua.sip.parser import parse_message
from b2bua.sip.pidf import Presence, Reach
from b2bua.sip.response_to import response_to
from b2bua.sip.uri import Uri, equivalent, parse_uri
from b2bua.sip.via import Via, parse_via
from tests.random_runs import examples
from tests.sip.readers import GETTERS
from tests.sip.wire import answer, invite

# The same examples in every normal run: a failure there is a mistake in the code, never in the day's luck.
properties = examples(60)

ALPHANUM = string.ascii_letters + string.digits
token = st.text(ALPHANUM + "-.!%*_+`'~", min_size=1, max_size=12)
name = st.text(ALPHANUM + "-", min_size=1, max_size=10)
port = st.none() | st.integers(0, 65535)
escaped = st.integers(0, 255).map(lambda byte: f"%{byte:02X}")
label = st.text(ALPHANUM + "-_", min_size=1, max_size=8)
host = st.lists(label, min_size=1, max_size=3).map(".".join) | st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")


def text_of(signs: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(signs) | escaped, max_size=10).map("".join)


def pairs(separator: str, names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.builds(lambda key, value: f"{separator}{key}={value}" if value else f"{separator}{key}", names, values)
    return st.lists(pair, max_size=3).map("".join)


@st.composite
def sip_uris(draw: st.DrawFn) -> Uri:
    user = draw(text_of(ALPHANUM + "-_.!~*'()&=+$,;?/"))
    password = draw(text_of(ALPHANUM + "&=+$,")) if user else ""
    parameters = draw(pairs(";", name, text_of(ALPHANUM + "[]/:&+$-_.!")))
    headers = draw(pairs("&", name, text_of(ALPHANUM + "[]/?:+$-_.!")))
    headers = "?" + headers[1:] if headers else ""
    return Uri(draw(st.sampled_from(["sip", "sips"])), user, draw(host), draw(port), parameters, headers, password)


uris = sip_uris() | st.builds(
    lambda rest: Uri("tel", rest, ""), st.text(string.digits + "+-;=", min_size=1, max_size=12)
)
# What a quoted string may hold (RFC 3261 §25.1), with bytes outside UTF-8 as they travel.
quotable = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]) | st.just("\udcff"), max_size=12
)
displays = st.just("") | quotable.map(quote_string) | st.lists(token, min_size=1, max_size=3).map(" ".join)


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    values = token | quotable.map(quote_string)
    parameters = draw(pairs(";", name.filter(lambda key: key.lower() != "tag"), values))
    tag = draw(st.just("") | token)
    return Address(draw(displays), str(draw(uris)), f"{parameters};tag={tag}" if tag else parameters, tag)


@st.composite
def vias(draw: st.DrawFn) -> Via:
    before, after = (draw(pairs(";", name.filter(lambda key: key.lower() != "branch"), token)) for _ in range(2))
    branch = draw(token)
    transport = draw(st.sampled_from(["udp", "tcp", "tls", "ws", "wss", "tls-sctp", "unknown"]))
    return Via(transport, draw(host), draw(port), f"{before};branch={branch}{after}", branch)


values = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]) | st.just("\udcff"), max_size=30
).map(str.strip)
others = st.tuples(name.map(canonical_name).filter(lambda key: key not in SINGLE and key not in MANDATORY), values)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    method = draw(token)
    body = draw(st.binary(max_size=60))
    headers = [
        ("Via", str(draw(vias()))),
        ("From", str(draw(addresses()))),
        ("To", str(draw(addresses()))),
        ("Call-ID", draw(token)),
        ("CSeq", f"{draw(st.integers(0, 2**31 - 1))} {method}"),
        *draw(st.lists(others, max_size=5)),
    ]
    headers = [*draw(st.permutations(headers)), ("Content-Length", str(len(body)))]
    names, lines = [key for key, _ in headers], [f"{key}: {value}" for key, value in headers]
    if draw(st.booleans()):
        return Request(method, str(draw(uris)), names, lines, body)
    return Response(draw(st.integers(100, 699)), draw(values), names, lines, body)


@properties
@given(uris)
def test_uri(uri):
    assert parse_uri(str(uri)) == uri
    assert equivalent(uri, parse_uri(str(uri)))


@properties
@given(sip_uris(), sip_uris())
def test_equivalence_is_symmetric(one, other):
    assert equivalent(one, other) == equivalent(other, one)


@properties
@given(addresses())
def test_address(address):
    assert parse_address(str(address)) == address
    assert str(address.parsed_uri()) == address.uri


@properties
@given(quotable)
def test_a_display_name_survives_in_a_parameter(value):
    assert Address("", "sip:a@b", f";x={quote_string(value)}").parameter("x") == value


@properties
@given(vias())
def test_via(via):
    assert parse_via(str(via)) == via
    noted = via.with_source("192.0.2.9", 4711)
    assert parse_via(str(noted)) == noted
    assert noted.branch == via.branch
    assert noted.parameter("received") == "192.0.2.9" or via.host == "192.0.2.9"


@properties
@given(messages())
def test_message(message):
    parsed = parse_message(message.encode())
    assert (parsed.start_line(), parsed.names, parsed.lines, parsed.body) == (
        message.start_line(),
        message.names,
        message.lines,
        message.body,
    )
    assert parsed.encode() == message.encode()
    if isinstance(parsed, Request):
        assert parse_message(response_to(parsed, 200, tag="t").encode()).to.tag


def digest_everything(data: bytes) -> None:
    """Parse and ask for every value, as a server would; anything but the two errors that name the peer is a mistake."""
    try:
        message: Request | Response = parse_message(data)
    except MalformedMessage as error:
        if error.request is None:
            return
        refusal = response_to(error.request, error.status, error.reason, "t")
        assert refusal.cseq_method
        assert refusal.top_via.response_address()
        assert refusal.encode()
        return
    assert message.encode()
    for get in GETTERS:
        try:
            get(message)
        except SipError as error:
            assert 400 <= error.status < 600


SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=sendonly\r\n"
XML = DialogInfo("sip:a@b", (DialogState("1", STATES[0], local=Participant("sip:a@b", "sip:a@c", "no")),)).encode()
CREDENTIALS = 'Authorization: Digest username="a", realm="b", nonce="c", uri="sip:d", response="e"'
SEEDS = (
    invite("Contact: <sip:a@b>;expires=5, sip:c", "Allow: A, B", CREDENTIALS, body=SDP),
    invite("v: SIP / 2.0 / TCP a ; branch = b , SIP/2.0/UDP [::1]:5", "Subject : x\r\n y", body=XML, length=False),
    answer("Via: SIP/2.0/UDP a;branch=1;received=[::1];rport=7", 'Contact: "a,b" <sip:a@b;x?y=z>;q=0.5'),
    invite(
        "RAck: 1 2 INVITE", "Refer-To: <sip:a@b;method=INVITE?Replaces=c%40d%3Bto-tag%3D1%3Bfrom-tag%3D2>", "Privacy: id;header",
        "Replaces: c@d;to-tag=1;from-tag=2;early-only", 'Event: dialog;call-id="c";to-tag=1;from-tag=2;id=7',
        "Subscription-State: active;expires=5;reason=noresource", "Session-Expires: 90;refresher=uas", "Max-Breadth: 5",
        "P-Served-User: <sip:a@b>;sescase=orig", "Route: <sip:x.y@192.0.2.1:5060;lr>, <sip:c@d;lr>",
        'Contact: <sip:a@b>;+sip.instance="<urn:uuid:1>";reg-id=1;expires=5', "History-Info: <sip:a@b>;index=1.1",
        body=FeatureStatus("sip:a@b", (("c", "on"),)).encode(), start="INVITE sip:a@b.c:5060;avaya-cm-fnu=off-hook SIP/2.0",
    ),
    answer(
        "RSeq: 1", "Require: 100rel", "Retry-After: 5 (busy);duration=3", "Expires: 5",
        'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth,auth-int", opaque="c", userhash=true, by-proxy=1',
        start="SIP/2.0 183 OK",
    ),
    invite(body=Presence("sip:a@b", (Reach("t0", "open", "sip:a@b", "c"),), ("away",), ("d",)).encode()),
    invite(body=voice_messages(1, 2).encode()),
)  # fmt: skip
PIECES = [
    *(bytes([byte]) for byte in b'\0\t\r\n "<>,;:=?@[]\\%/0aZ\x7f\xc3\xe9\xff'),
    b"\r\n",
    b"\r\n ",
    b"\r\n\r\n",
    b"9" * 20,
    b"9" * 5000,
    "²".encode(),
    "٣".encode(),
    b"tag=",
    b"branch=",
    b"SIP/2.0",
    b"sip:",
]


@examples(250)
@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_random_bytes_raise_nothing_but_malformed(data):
    digest_everything(data)
    digest_everything(b"INVITE sip:a@b SIP/2.0\r\nVia: " + data)


@examples(600)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)), max_size=4),
)
def test_mutated_messages_raise_nothing_but_malformed(seed, changes):
    for place, length, piece in changes:
        index = int(place * len(seed))
        seed = seed[:index] + piece + seed[index + length :]
    digest_everything(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_cut_short_anywhere(seed):
    for end in range(len(seed)):
        digest_everything(seed[:end])


@properties
@given(st.text(st.sampled_from('sip:SIP/2.0/UDP <>"\\,;=@?[]%:. \t\0\udcffß0a'), max_size=40))
def test_values_that_are_none_raise_malformed_value(text):
    for parse in (parse_uri, parse_address, parse_via, parse_credentials):
        try:
            parse(text)
        except MalformedValue:
            continue


anything = st.text(max_size=12)
sides = st.builds(Participant, anything, anything.map(str.strip), st.sampled_from(["", "yes", "no"]) | anything, anything)

dialogs_of_anything = st.builds(
    DialogState, anything.filter(bool), st.sampled_from(STATES), anything, anything, anything, anything, sides, sides, anything
)


@properties
@given(anything.filter(bool), st.lists(dialogs_of_anything, max_size=2))
def test_any_text_makes_a_document_that_can_be_read(entity, dialogs):
    document = DialogInfo(entity, tuple(dialogs)).encode()
    read = parse_dialog_info(document)
    assert [dialog.state for dialog in read.dialogs] == [dialog.state for dialog in dialogs]
    # XML makes line ends and blanks alike (XML 1.0 §2.11), so the text itself may come back a little different.
    assert len(parse_dialog_info(read.encode()).dialogs) == len(dialogs)
