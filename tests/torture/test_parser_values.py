"""What single messages are there for: the values that a careless parser would get wrong."""

from __future__ import annotations

import pytest

from b2bua.sip.address import parse_address
from b2bua.sip.digest import parse_credentials
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.sdp import parse_streams
from b2bua.sip.uri import equivalent, parse_uri
from b2bua.sip.via import parse_via
from tests.torture import rfc4475_invalid, rfc4475_semantics, rfc4475_valid, rfc5118

DATA = {
    case.name: case.data
    for cases in (rfc4475_valid.CASES, rfc4475_invalid.CASES, rfc4475_semantics.CASES, rfc5118.CASES)
    for case in cases
}


def request(name: str) -> Request:
    parsed = parse_message(DATA[name])
    assert isinstance(parsed, Request)
    return parsed


def response(name: str) -> Response:
    parsed = parse_message(DATA[name])
    assert isinstance(parsed, Response)
    return parsed


def branches(message: Message) -> list[str]:
    return [parse_via(value).branch for value in message.elements("Via")]


def test_wsinv():
    invite = request("wsinv")
    assert (invite.cseq, invite.cseq_method, invite.integer("Max-Forwards")) == (12, "INVITE", 71)
    assert (invite.to.uri, invite.to.tag) == ("sip:bob@desk.example.com", "20040101b")
    assert (invite.from_.display, invite.from_.tag) == (r'"A Liddell \\\""', "77ahd9")
    assert branches(invite) == ["21hjkdsfu", "z9hG4bK7aa2", "z9hG4bK7aa3"]
    assert [parse_via(value).transport for value in invite.elements("Via")] == ["udp", "tcp", "udp"]
    assert (invite.get("Subject"), invite.get("Freshheader")) == ("", "fresh value goes on overleaf")
    assert invite.get("Strangeheaderwithstrangevalue") == ";,;,,;;,"
    assert "StrangeHeaderWithStrangeValue: ;,;,,;;," in invite.lines
    assert invite.elements("Route") == ["<sip:proxy.example.com;lr;other=value;flag>"]
    contact = invite.contact()
    assert contact is not None
    assert (contact.parameter("q"), contact.parameter("fresh"), contact.parameter("flag")) == ("0.25", "value", "")
    assert parse_uri(invite.uri).parameter("newparam") == ""
    assert len(parse_streams(invite.body)) == 2


def test_intmeth():
    message = request("intmeth")
    assert message.method == message.cseq_method == rfc4475_valid.METHOD
    uri = message.parsed_uri()
    assert (uri.user, uri.password, uri.host) == (
        "2_odd.User~(be!here)&not'x+y$/z?,/;;*", "&=+also,odd~pass$(w'd)", "example.com",
    )  # fmt: skip
    assert message.to.display == '"BEL:\\\x07 DEL:\\\x7f NUL:\\\0"'
    assert message.from_.display == "one~` two'+_ three*%!.-"
    assert (message.from_.tag, message.from_.parameter("odd''~+*_!.-%")) == ("_t~2'+`*%!-.", "Жук")
    assert message.call_id == "intmeth.k%4A-!.*_+'@w`~)(><:\\/\"][?}{"
    assert message.top_via.branch == "z9hG4bK.-%41!~'`_+*"
    assert message.lines[-2] == "oddHeader-!.%*+_`'~: \ufeff中文"


def test_esc01():
    invite = request("esc01")
    assert invite.parsed_uri().username == "sips:bob@example.com"
    assert invite.parsed_uri().host == "example.net"
    assert invite.to.parsed_uri().username == "bob"
    assert invite.from_.parsed_uri().username == "with blanks in it"
    contact = invite.contact()
    assert contact is not None
    assert equivalent(contact.parsed_uri(), parse_uri("sip:alice@host6.example.net;lr;param=val%2541"))
    assert not equivalent(contact.parsed_uri(), parse_uri("sip:alice@host6.example.net;lr;param=valA"))


def test_escnull():
    register = request("escnull")
    assert register.to.parsed_uri().username == "zero-\0-zero"
    one, two = (parse_address(value).parsed_uri() for value in register.elements("Contact"))
    assert (one.username, two.username, equivalent(one, two)) == ("\0", "\0\0", False)


def test_esc02():
    message = request("esc02")
    assert message.method == "OPT%49ON%53"
    assert [parse_address(value).parsed_uri().user for value in message.elements("Contact")] == ["first", "third"]
    assert message.to.display == message.from_.display == '"%Q%46"'
    assert message.top_via.branch == "z9hG4bK33%zz1"


def test_lwsdisp():
    assert (request("lwsdisp").from_.display, request("lwsdisp").from_.tag) == ("alice", "4711")


def test_longreq():
    invite = request("longreq")
    assert len(invite.elements("Via")) == 34
    assert parse_via(invite.elements("Via")[-1]).branch == f"far{'long' * 60}branch"
    assert invite.from_.tag == f"9{'876' * 60}5"
    assert invite.to.parsed_uri().parameter("flag" * 40) == ""
    assert invite.call_id == f"longreq.{'muchlonger' * 20}"


def test_dblreq():
    register = request("dblreq")
    assert (register.method, register.body) == ("REGISTER", b"")
    assert b"INVITE" not in register.encode()


def test_semiuri():
    options = request("semiuri")
    assert (options.parsed_uri().username, options.parsed_uri().host) == ("bob;ext=b@example.net", "example.com")
    assert len(options.elements("Accept")) == 5


def test_transports():
    vias = [parse_via(value) for value in request("transports").elements("Via")]
    assert [via.transport for via in vias] == ["udp", "sctp", "tls", "strange", "tcp"]


def test_mpart01():
    assert request("mpart01").body == rfc4475_valid.PARTS


@pytest.mark.parametrize(("name", "status", "reason"), [("unreason", 200, "= 10**2 * 2 почти"), ("noreason", 100, "")])
def test_reason_phrases(name, status, reason):
    assert (response(name).status, response(name).reason) == (status, reason)


def test_what_is_left_to_its_reader():
    assert request("escruri").parsed_uri().headers == "?Route=%3Csip:example.com%3E"
    assert request("baddate").get("Date") == "Fri, 06 Jan 2012 16:00:00 EST"
    assert request("badaspec").to.uri == "sip:bob@example.org"
    with pytest.raises(MalformedValue):
        request("regbadct").contact()


def test_badbranch_has_no_transaction_in_its_branch():
    assert request("badbranch").top_via.branch == "z9hG4bK"


def test_schemes_that_nobody_knows():
    assert request("unkscm").parsed_uri().scheme == "nobodyhasheardofthis"
    assert request("novelsc").parsed_uri().scheme == "soap.beep"
    register = request("unksm2")
    assert (register.to.parsed_uri().scheme, register.from_.parsed_uri().scheme) == ("isbn", "http")
    contact = register.contact()
    assert contact is not None
    assert contact.uri == "name:Bob_Jones"


def test_extensions_types_and_schemes_are_there_for_the_server_to_refuse():
    assert request("bext01").tokens("Require") == {"nothinghasthis", "northis"}
    assert request("bext01").tokens("Proxy-Require") == {"noproxyhasthis", "nordoesanyhavethis"}
    assert request("invut").get("Content-Type") == "application/unheardof"
    assert request("sdp01").tokens("Accept") == {"text/unheardof"}
    assert request("zeromf").integer("Max-Forwards") == 0
    with pytest.raises(MalformedValue):
        parse_credentials(request("regaut01").get("Authorization") or "")


def test_parameters_inside_and_outside_the_brackets():
    outside, inside, headers = (request(name).contact() for name in ("cparam01", "cparam02", "regescrt"))
    assert outside is not None
    assert inside is not None
    assert headers is not None
    assert (outside.parameter("unheardof"), outside.parsed_uri().parameter("unheardof")) == ("", None)
    assert (inside.parameter("unheardof"), inside.parsed_uri().parameter("unheardof")) == (None, "")
    assert headers.parsed_uri().headers == "?Route=%3Csip:sip.example.com%3E"


def test_bcast():
    assert [parse_via(value).host for value in response("bcast").elements("Via")] == ["192.0.2.43", "255.255.255.255"]


def test_inv2543():
    invite = request("inv2543")
    assert (invite.top_via.branch, invite.from_.tag, invite.integer("Max-Forwards")) == ("", "", None)
    assert (invite.to.uri, invite.to.parameter("user")) == ("sip:+15555550101@ss2.example.net", "phone")
    assert invite.get("Content-Length") == str(len(invite.body))


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("ipv6-good", "[2001:db8::20]", None), ("port-ambiguous", "[2001:db8::20:5070]", None),
        ("port-unambiguous", "[2001:db8::20]", 5070), ("ipv6-bug-abnf-3-colons", "[2001:db8:::192.0.2.50]", None),
        ("ipv6-correct-abnf-2-colons", "[2001:db8::192.0.2.50]", None),
    ],
)  # fmt: skip
def test_ipv6_in_the_request_uri(name, host, port):
    assert (request(name).parsed_uri().host, request(name).parsed_uri().port) == (host, port)


def test_ipv6_without_brackets_is_400():
    with pytest.raises(MalformedValue) as caught:
        request("ipv6-bad").parsed_uri()
    assert caught.value.status == 400


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_ipv6_in_received_with_and_without_brackets(name):
    assert request(name).top_via.response_address() == ("2001:db8::a:ff", 5060)


def test_ipv6_and_ipv4_in_one_message():
    vias = [parse_via(value) for value in request("mult-ip-in-header").elements("Via")]
    assert [(via.host, via.port) for via in vias] == [
        ("[2001:db8::a:1]", 6050), ("192.0.2.50", None), ("[2001:db8::a:ff]", None),
    ]  # fmt: skip
    assert vias[2].response_address()[0] == "192.0.2.60"
    mapped = request("ipv4-mapped-ipv6")
    assert (mapped.top_via.host, mapped.top_via.port) == ("[::ffff:192.0.2.52]", 19823)


@pytest.mark.parametrize(
    ("name", "addresses"),
    [("ipv6-in-sdp", ["2001:db8::30"] * 2), ("mult-ip-in-sdp", ["192.0.2.50", "2001:db8::1"]),
     ("ipv4-mapped-ipv6", ["::ffff:192.0.2.51"] * 2)],
)  # fmt: skip
def test_ipv6_in_sdp(name, addresses):
    assert [stream.connection for stream in parse_streams(request(name).body)] == addresses
