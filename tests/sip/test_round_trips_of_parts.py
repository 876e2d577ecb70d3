"""What headers and bodies are put together from reads back: quotes, hosts, whole lines, sections of SDP, text in XML, marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.address import quote_string, split_parameters, split_unquoted, unquote_string
from b2bua.sip.codecs import agreed_codecs, codecs
from b2bua.sip.errors import MalformedValue
from b2bua.sip.header_lines import address_in
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.loop_mark import bears, loop_mark
from b2bua.sip.next_hop import named_host
from b2bua.sip.sdp import first_streams, parse_origin, parse_streams, protocol_of, with_more_streams
from b2bua.sip.uri import Uri, host_text, is_address, is_sips, split_host_port
from b2bua.sip.via import MAGIC_COOKIE, read_via
from b2bua.sip.xml_text import content, local_name, read_xml, xml_document, xml_text
from b2bua.transaction.matching import note_source
from b2bua.transaction.own_via import OwnVia
from tests.sip.test_round_trips import addresses, host, name, port, properties, quotable, sip_uris, token, vias
from tests.sip.test_round_trips_of_headers import blanks
from tests.sip.test_round_trips_of_values import clean, descriptions, with_lines, written
from tests.transaction.neighbours import FakeFlow

hosts = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)


# ---- parameters and quotes (RFC 3261 §25.1)


@properties
@given(st.lists(st.tuples(name.map(str.lower), st.just("") | token | quotable), max_size=4), blanks)
def test_parameters(pairs, blank):
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
    texts = [f"{key}{blank}={blank}{value if value and plain.issuperset(value) else quote_string(value)}" for key, value in pairs]
    assert split_parameters(f"{blank};{blank}".join(["", *texts])) == pairs
    assert [unquote_string(quote_string(value)) for _, value in pairs] == [value for _, value in pairs]
    assert split_unquoted(";".join(texts), ";") == (texts or [""])


@properties
@given(addresses(), st.sampled_from(["From: ", "f:", "Contact :\t", "To:"]), blanks)
def test_a_whole_line_with_an_address(address, start, blank):
    assert address_in(f"{start}{address}{blank}") == address


# ---- hosts and ports (RFC 3261 §25.1, RFC 5118)


@properties
@given(host, port)
def test_a_host_and_its_port(name, number):
    text = name if number is None else f"{name}:{number}"
    assert split_host_port(text) == (name, number)
    with pytest.raises(MalformedValue):
        split_host_port(f"{text}:")


@properties
@given(hosts, st.text("abcxyz0-", min_size=1, max_size=6).map(lambda label: f"x{label}.example"))
def test_an_address_is_told_from_a_name(address, label):
    assert split_host_port(f"{host_text(address)}:5060") == (host_text(address), 5060)
    assert host_text(host_text(address)) == host_text(address)
    assert is_address(address) and is_address(host_text(address).strip("[]"))
    assert not is_address(label) and host_text(label) == label
    assert named_host(Uri("sip", "a", host_text(address))) == ""
    assert named_host(Uri("sip", "a", label.upper())) == named_host(Uri("sip", "", "192.0.2.1", 5, f";maddr={label}")) == label


@properties
@given(sip_uris())
def test_whether_it_is_to_be_secure(uri):
    assert is_sips(str(uri)) is is_sips(str(uri).upper()) is (uri.scheme == "sips")


# ---- Via as a whole line, and as it is noted and written (RFC 3261 §18.2.1, RFC 3581 §4)

extensions = st.just("") | quotable.map(lambda text: f";x={quote_string(text)}") | st.just(';x="a;branch=9;received=1, b"')


@properties
@given(vias(), st.lists(vias().map(str), max_size=2), extensions, st.sampled_from(["Via: ", "v:", "Via : "]))
def test_the_topmost_of_a_line(via, others, extension, start):
    via = via._replace(parameters=f"{via.parameters}{extension}")
    assert read_via(start + ", ".join([str(via), *others])) == via


@properties
@given(vias(), st.lists(vias().map(str), max_size=2), extensions, hosts, st.integers(1, 65535))
def test_where_a_request_came_from_is_noted_and_nothing_else_changes(via, others, extension, remote, number):
    via = via._replace(parameters=f"{via.parameters}{extension}")
    request = with_lines("Via: SIP/2.0/UDP a;branch=last")
    request.replace("Via", ", ".join([str(via), *others]))
    note_source(request, FakeFlow(remote=(remote, number)))
    noted = via.with_source(remote, number)
    assert request.top_via == read_via(request.lines[request.names.index("Via")]) == noted
    assert request.elements("Via") == [str(noted), *others, "SIP/2.0/UDP a;branch=last"]


@pytest.mark.parametrize("beneath", ['SIP/2.0/UDP 198.51.100.1;x="oops', "SIP/2.0/UDP a, <", "rubbish"])
def test_where_a_request_came_from_is_noted_whatever_stands_beneath(beneath):
    request = with_lines()
    request.replace("Via", f"SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK1, {beneath}")
    note_source(request, FakeFlow(remote=("192.0.2.11", 5070)))
    line = request.lines[request.names.index("Via")]
    assert line.endswith(f", {beneath}") and "rport=5070" in line and "received=192.0.2.11" in line


@properties
@given(st.booleans(), hosts, st.integers(1, 65535), token)
def test_a_via_of_ours(reliable, address, number, branch):
    request = with_lines()
    OwnVia(Identifiers("x")).put(request, FakeFlow(reliable, local=(address, number)), branch=branch)
    via = read_via(request.lines[0])
    assert (via.transport, via.host, via.port, via.branch) == ("tcp" if reliable else "udp", host_text(address), number, branch)
    assert via.wants_rport() is not reliable
    assert via.response_address() == (address, number)
    assert (request.top_via.transport, request.top_via.host, request.top_via.port) == (via.transport, via.host, via.port)


@properties
@given(st.binary(min_size=1, max_size=64), st.lists(quotable, min_size=1, max_size=3), quotable, token)
def test_a_mark_is_known_again_in_a_branch(key, values, other, branch):
    mark = loop_mark(key, *values)
    via = f"Via: SIP/2.0/UDP 192.0.2.9:5060;branch={MAGIC_COOKIE}{branch}{mark}"
    assert bears(with_lines(via), mark)
    assert not bears(with_lines(via), loop_mark(key, *values, other))
    assert not bears(with_lines(), mark)


# ---- sections of SDP (RFC 3264 §8, RFC 8866 §5)


@properties
@given(descriptions, st.integers(0, 4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_streams_left_out_come_back_refused(description, count, refused):
    origin, media, end = description
    media = [one._replace(port=0) if gone else one for one, gone in zip(media, refused, strict=False)]
    whole = written(origin, media, end)
    if count == 0:
        return
    short = first_streams(whole, count)
    assert parse_streams(short) == tuple(media[:count]) and parse_origin(short) == origin
    again = parse_streams(with_more_streams(short, whole))
    assert [one.media for one in again] == [one.media for one in media]
    assert again[:count] == tuple(media[:count]) and not any(one.port for one in again[count:])
    assert with_more_streams(whole, short) == whole
    assert protocol_of(whole) == "RTP/AVP"


formats = st.lists(st.integers(96, 127), unique=True, min_size=1, max_size=4)
names = st.sampled_from(["PCMA", "opus", "telephone-event", "AMR"])


@properties
@given(formats, st.lists(names, min_size=4, max_size=4), formats, st.lists(names, min_size=4, max_size=4),
       st.sampled_from(["RTP/AVP", "UDP/TLS/RTP/SAVPF"]))  # fmt: skip
def test_codecs_by_name(one, of_one, other, of_other, protocol):
    def described(numbers, called):
        lines = [f"m=audio 4000 {protocol} {' '.join(map(str, numbers))}"]
        lines += [f"a=rtpmap:{number} {codec}/8000" for number, codec in zip(numbers, called, strict=False)]
        return "".join(f"{line}\r\n" for line in lines).encode()

    mine, theirs = described(one, of_one), described(other, of_other)
    assert codecs(mine) == list(dict.fromkeys(of_one[: len(one)]))
    assert agreed_codecs(mine, theirs) == [codec for codec in codecs(mine) if codec in of_other[: len(other)]]
    assert protocol_of(mine) == protocol


# ---- text in XML


@properties
@given(clean, clean, st.sampled_from(["presence", "p:presence"]))
def test_text_in_a_document(text, attribute, root):
    space = ' xmlns:p="urn:x"' if ":" in root else ""
    document = xml_document(f'<{root}{space} a="{xml_text(attribute)}">\n {xml_text(text)}\n</{root}>')
    read = read_xml(document, "presence")
    assert (content(read), read.get("a"), local_name(read)) == (text, attribute, "presence")
    with pytest.raises(MalformedValue):
        read_xml(document, "reginfo")
