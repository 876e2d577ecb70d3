"""What the values inside headers and bodies say is what they are read as: digest, lists, numbers, descriptions, documents."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip import sdp
from b2bua.sip.dialog_info import STATES, DialogInfo, DialogState, Participant, parse_dialog_info
from b2bua.sip.digest import (
    Challenge,
    answer,
    challenge_text,
    expected_response,
    ha1,
    parse_challenge,
    parse_credentials,
)
from b2bua.sip.digest_algorithms import HASHES
from b2bua.sip.max_breadth import MAX_BREADTH, breadth_of, put_breadth
from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message
from b2bua.sip.reason import REASON
from b2bua.sip.session_expires import SessionExpires, session_expires
from b2bua.sip.uri import parse_uri
from tests.sip.test_round_trips import ALPHANUM, addresses, properties, quotable, token, uris, vias
from tests.sip.wire import answer as answer_bytes
from tests.sip.wire import invite

algorithms = st.sampled_from(sorted(HASHES))
named = algorithms | algorithms.map("{}-sess".format)
plain = st.text(ALPHANUM + "-._", min_size=1, max_size=16)
delta_seconds = st.integers(0, 2**31 - 1)


# ---- digest (RFC 7616 §3.3, §3.4)


@properties
@given(plain, plain, st.booleans(), algorithms)
def test_a_challenge_of_ours(realm, nonce, stale, algorithm):
    assert parse_challenge(challenge_text(realm, nonce, stale, algorithm)) == Challenge(
        realm, nonce, algorithm, ("auth",), stale, ""
    )


@properties
@given(
    st.builds(Challenge, quotable, quotable, named, st.sampled_from([("auth",), ("auth-int", "auth"), ("auth-int",)]),
              st.booleans(), quotable, st.booleans())
    | st.builds(Challenge, quotable, quotable, algorithms, st.just(()), st.booleans(), quotable, st.booleans()),
    token, uris.map(str), quotable, quotable, st.integers(1, 2**32 - 1), plain, st.binary(max_size=40),
)  # fmt: skip
def test_credentials_say_what_was_challenged_and_prove_the_password(
    challenge, method, uri, user, password, nc, cnonce, body
):
    read = parse_credentials(answer(challenge, method, uri, user, password, nc, cnonce, body))
    base = challenge.algorithm.removesuffix("-sess")
    hashed = HASHES[base]
    name = hashed(f"{user}:{challenge.realm}") if challenge.userhash else user
    assert (read.username, read.userhash, read.realm, read.nonce, read.uri, read.opaque) == (
        name, challenge.userhash, challenge.realm, challenge.nonce, uri, challenge.opaque,
    )  # fmt: skip
    qop = "auth" if "auth" in challenge.qop else "auth-int"
    assert (read.qop, read.nc, read.cnonce) == ((qop, f"{nc:08x}", cnonce) if challenge.qop else ("", "", ""))
    secret = ha1(user, challenge.realm, password, base)
    assert read.response == expected_response(secret, method, read, hashed, body)
    assert read.response != expected_response(secret, method + "X", read, hashed, body)
    protects = read.qop == "auth-int"
    assert (read.response != expected_response(secret, method, read, hashed, body + b"X")) == protects


# ---- headers of lists and numbers (RFC 3261 §7.3.1, §20)


def with_lines(*lines: str) -> Request:
    message = parse_message(invite(*lines))
    assert isinstance(message, Request)
    return message


@properties
@given(st.lists(addresses(), min_size=1, max_size=4), st.booleans())
def test_addresses_on_one_line_or_on_many(values, together):
    """Contact, Route and the like: commas in display names and URIs part nothing."""
    texts = [str(value) for value in values]
    lines = [f"Route: {', '.join(texts)}"] if together else [f"Route: {text}" for text in texts]
    assert with_lines(*lines).elements("Route") == texts


@properties
@given(st.lists(vias(), min_size=1, max_size=3))
def test_vias_on_one_line(values):
    message = with_lines()
    message.replace("Via", ", ".join(map(str, values)))
    read = parse_message(message.encode())
    assert read.top_via == values[0]
    assert read.elements("Via") == [str(value) for value in values]


@properties
@given(st.lists(token, min_size=1, max_size=5), st.sampled_from(["Allow", "Supported", "Require", "Allow-Events"]))
def test_tokens(values, name):
    assert with_lines(f"{name}: {', '.join(values)}").elements(name) == values


@properties
@given(delta_seconds, st.sampled_from(["Expires", "Min-Expires", "Min-SE", "Retry-After", "Content-Length"]))
def test_numbers(value, name):
    message = with_lines()
    message.replace(name, str(value))
    assert message.integer(name) == value
    assert message.copy().integer(name) == value


@properties
@given(delta_seconds, st.sampled_from(["", "uac", "uas"]), st.sampled_from(["Session-Expires", "x"]))
def test_session_expires(seconds, refresher, name):
    value = SessionExpires(seconds, refresher)
    assert session_expires(with_lines(f"{name}: {value}")) == value


@properties
@given(st.integers(1, 200))
def test_max_breadth(breadth):
    source, target = with_lines(f"Max-Breadth: {breadth}"), with_lines()
    put_breadth(target, source)
    assert breadth_of(parse_message(target.encode())) == breadth_of(source) == min(breadth, MAX_BREADTH)


@properties
@given(token, st.integers(0, 2**31 - 1), token)
def test_cseq_and_call_id(method, number, call_id):
    message = with_lines()
    message.method = method
    message.replace("CSeq", f"{number} {method}")
    message.replace("Call-ID", call_id)
    read = parse_message(message.encode())
    assert (read.cseq, read.cseq_method, read.call_id) == (number, method, call_id)


@properties
@given(st.sampled_from(sorted(REASON)))
def test_reason_phrases(status):
    response = parse_message(answer_bytes().replace(b"200 OK", f"{status} {REASON[status]}".encode()))
    assert (response.status, response.reason) == (status, REASON[status])


@properties
@given(uris)
def test_a_request_uri(uri):
    message = with_lines()
    message.uri = str(uri)
    assert parse_message(message.encode()).parsed_uri() == parse_uri(str(uri)) == uri


# ---- SDP (RFC 8866, RFC 3264)

words = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
origins = st.builds(
    sdp.Origin, words, st.integers(0, 2**63).map(str), st.integers(0, 2**63),
    st.sampled_from(["IN IP4 192.0.2.1", "IN IP6 2001:db8::1", "IN IP4 host.example.com"]),
)  # fmt: skip
directions = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])
streams = st.builds(
    sdp.Stream, st.sampled_from(["audio", "video", "text"]), st.integers(0, 65535), directions,
    st.sampled_from(["192.0.2.7", "0.0.0.0", "2001:db8::7", "::"]), st.just(False),
)  # fmt: skip
descriptions = st.tuples(origins, st.lists(streams, min_size=1, max_size=4), st.sampled_from(["\r\n", "\n"]))


def written(origin: sdp.Origin, media: list[sdp.Stream], end: str = "\r\n") -> bytes:
    lines = ["v=0", str(origin), "s=-", "t=0 0"]
    for stream in media:
        kind = "IP6" if ":" in stream.connection else "IP4"
        lines += [f"m={stream.media} {stream.port} RTP/AVP 0", f"c=IN {kind} {stream.connection}", f"a={stream.direction}"]
    return (end.join(lines) + end).encode()


@properties
@given(descriptions)
def test_streams_and_origin(description):
    body = written(*description)
    assert sdp.parse_streams(body) == tuple(description[1])
    assert sdp.parse_origin(body) == description[0]


@properties
@given(descriptions, origins)
def test_another_origin_changes_nothing_else(description, origin):
    body = written(*description)
    before, line, after = sdp.split_origin(body)
    assert before + line + after == body
    changed = before + str(origin).encode() + after
    assert sdp.parse_origin(changed) == origin
    assert sdp.split_origin(changed) == (before, str(origin).encode(), after)


@properties
@given(descriptions, directions)
def test_another_direction_changes_nothing_else(description, direction):
    origin, media, end = description
    changed = sdp.with_direction(written(origin, media, end), direction)
    assert sdp.parse_streams(changed) == tuple(stream._replace(direction=direction) for stream in media)
    assert sdp.parse_origin(changed) == origin


@properties
@given(descriptions, descriptions)
def test_a_legal_answer_is_legal_and_stays_as_it_is(offer, given_answer):
    asked, body = written(*offer), written(*given_answer)
    legal = sdp.legal_answer(asked, body)
    assert sdp.legal_answer(asked, legal) == legal
    allowed = {
        "sendrecv": {"sendrecv", "sendonly", "recvonly", "inactive"}, "sendonly": {"recvonly", "inactive"},
        "recvonly": {"sendonly", "inactive"}, "inactive": {"inactive"},
    }  # fmt: skip
    answered = sdp.parse_streams(legal)
    assert len(answered) >= len(offer[1])
    for one, other in zip(offer[1], answered, strict=False):
        assert not other.port or other.direction in allowed[one.direction]


# ---- dialog-info (RFC 4235 §4)

# XML itself makes blanks and line ends alike, so what is compared exactly has none.
clean = st.text("<>&\"'a", max_size=6) | st.text(
    st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc", "Z", "Cn", "Co"]), max_size=10
)
some = clean.filter(bool)
renderings = st.sampled_from(["", "yes", "no"])
participants = st.just(Participant()) | st.builds(Participant, some, some, renderings, clean)
dialogs = st.builds(
    DialogState, some, st.sampled_from(STATES), clean, clean, clean, st.sampled_from(["", "initiator", "recipient"]),
    participants, participants, st.sampled_from(["", "cancelled", "rejected", "replaced", "local-bye", "remote-bye"]),
)  # fmt: skip


@properties
@given(some, st.lists(dialogs, max_size=3), st.integers(0, 2**31), st.sampled_from(["full", "partial"]))
def test_dialog_info(entity, states, version, state):
    document = DialogInfo(entity, tuple(states), version, state)
    assert parse_dialog_info(document.encode()) == document
