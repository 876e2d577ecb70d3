"""What a header of one meaning says is what it is read as: who refers, watches, serves, waits and answers."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.digest import Challenge, answer, challenge_text, expected_response, ha1, parse_challenge, parse_credentials
from b2bua.sip.digest_algorithms import HASHES, plain
from b2bua.sip.errors import MalformedValue
from b2bua.sip.event_id import event_id
from b2bua.sip.feature_name import FEATURE_NAME, feature_name
from b2bua.sip.header_lines import cseq_in, read_cseq, read_dialog, read_integer
from b2bua.sip.privacy import privacy_levels
from b2bua.sip.proxy_answer import HEADERS, MAX_ROUNDS, marked, round_of, rounds
from b2bua.sip.rack import RAck, rack_of
from b2bua.sip.refer_to import ReferTo, refer_to_of
from b2bua.sip.replaces import Replaces, parse_replaces
from b2bua.sip.retry_after import retry_after
from b2bua.sip.rseq import rseq_of
from b2bua.sip.served_user import SERVED_USER, served_user, who_is_served
from b2bua.sip.subscription_state import SubscriptionState, subscription_state
from b2bua.sip.uri import parse_uri
from b2bua.sip.watched_dialog import WatchedDialog, parse_watched_dialog
from tests.sip.readers import as_response
from tests.sip.test_round_trips import addresses, properties, quotable, sip_uris, token, uris
from tests.sip.test_round_trips_of_values import plain as plain_text
from tests.sip.test_round_trips_of_values import with_lines

MOST = 2**32 - 1
numbers = st.integers(0, MOST) | st.sampled_from([10**9, MOST])
blanks = st.sampled_from(["", " ", "\t", "  "])
call_ids = st.builds(lambda local, host: f"{local}@{host}" if host else local, token, st.just("") | token)
dialogs = st.builds(Replaces, call_ids, token, token, st.booleans())
mixed_case = st.sampled_from([str.lower, str.upper, str.title])


# ---- numbers at their ends (RFC 3261 §8.1.1.5, §20.19)


@properties
@given(st.integers(2**31 - 3, 2**31 + 3) | st.integers(0, 10**12), token)
def test_a_cseq_is_less_than_two_to_the_31st(number, method):
    line = f"CSeq: {number} {method}"
    if number < 2**31:
        assert cseq_in(line) == read_cseq(line) == (number, method)
    else:
        with pytest.raises(MalformedValue):
            cseq_in(line)


@properties
@given(st.integers(2**31 - 3, 2**31 + 3) | st.integers(MOST - 3, MOST + 3) | st.integers(0, 10**12), blanks)
def test_seconds_are_read_to_two_to_the_32nd_and_no_further(number, blank):
    """A number of ten digits is cut to that, a longer one is none."""
    expected = min(number, MOST) if number < 10**10 else None
    assert read_integer(f"Expires:{blank}{number}{blank}") == read_integer(f"Expires: {number};x={number}") == expected
    if expected is None:
        with pytest.raises(MalformedValue):
            with_lines(f"Expires: {number}").integer("Expires")


@properties
@given(addresses(), addresses(), call_ids)
def test_what_names_a_dialog(from_, to, call_id):
    assert read_dialog(f"From: {from_}", f"t:{to}", f"i : {call_id}") == (from_, to, call_id)


# ---- reliable provisional responses (RFC 3262 §7)


@properties
@given(st.builds(RAck, numbers, st.integers(0, 2**31 - 1), token), blanks)
def test_rack(rack, blank):
    assert rack_of(with_lines(f"RAck:{blank}{rack}{blank}")) == rack


@properties
@given(st.integers(1, MOST), st.integers(101, 199), st.lists(token, max_size=2))
def test_rseq(number, status, others):
    source = with_lines(f"RSeq: {number}", f"Require: {', '.join([*others, '100rel'])}")
    assert rseq_of(as_response(source, status)) == number
    assert rseq_of(as_response(source, 100)) == rseq_of(as_response(source, status + 100)) == 0
    assert rack_of(with_lines(f"RAck: {RAck(rseq_of(as_response(source, status)), 1, 'INVITE')}")).rseq == number


# ---- transfer (RFC 3515 §2.1, RFC 3891 §6.1)


@properties
@given(dialogs, blanks, mixed_case)
def test_replaces(replaces, blank, cased):
    assert parse_replaces(str(replaces)) == replaces
    name, *parameters = str(replaces).split(";")
    spaced = [f"{blank};{blank}{cased(key)}{equals}{value}" for key, equals, value in (one.partition("=") for one in parameters)]
    assert parse_replaces(f"{blank}{name}{''.join(reversed(spaced))}") == replaces


raw_call_ids = call_ids | st.just("c\udcff@d") | st.just("ü@d")


@properties
@given(
    sip_uris(), st.just("INVITE") | token, st.none() | st.builds(Replaces, raw_call_ids, token, token, st.booleans()),
    st.lists(st.sampled_from(["Subject=x", "Require=replaces", "a=b%26Replaces%3Dc"]), max_size=2), mixed_case,
)  # fmt: skip
def test_refer_to(uri, method, replaces, others, cased):
    """The Replaces in it is escaped as a header of a URI is (RFC 3261 §19.1.1), bytes outside UTF-8 too."""
    parameters = [part for part in uri.parameters.split(";") if part and part.partition("=")[0].lower() != "method"]
    uri = uri._replace(headers="", password="", parameters="".join(f";{part}" for part in parameters))
    headers = list(others)
    if replaces is not None:
        headers.insert(0, f"{cased('Replaces')}={quote(str(replaces), '', errors='surrogateescape')}")
    asked = f";{cased('method')}={quote(method, '')}" if method != "INVITE" else ""
    header = f"Refer-To: <{uri}{asked}{'?' if headers else ''}{'&'.join(headers)}>;x=y"
    assert refer_to_of(with_lines(header)) == ReferTo(uri, method, replaces)


# ---- subscriptions (RFC 6665 §8.2, RFC 4235 §3.2)


@properties
@given(st.builds(WatchedDialog, call_ids | quotable.filter(bool), token, st.just("") | token), st.booleans(), mixed_case)
def test_the_one_dialog_that_is_watched(watched, last, cased):
    call_id = watched.call_id.replace("\\", "\\\\").replace('"', '\\"')
    parameters = [f'{cased("call-id")}="{call_id}"', f"{cased('to-tag')}={watched.local_tag}"]
    if watched.remote_tag:
        parameters.insert(len(parameters) if last else 0, f"{cased('from-tag')}={watched.remote_tag}")
    assert parse_watched_dialog(f"dialog;{' ; '.join(parameters)}") == watched
    assert watched.has((watched.call_id, watched.local_tag, watched.remote_tag or "any"))


@properties
@given(token, token, blanks, mixed_case, st.lists(st.sampled_from(['x="a;id=9"', "ident=8", "valid=7", "y"]), max_size=2))
def test_event_id(package, value, blank, cased, others):
    before = "".join(f";{one}" for one in others)
    assert event_id(f"{package}{before}{blank};{blank}{cased('id')}{blank}={blank}{value}{blank}") == value
    assert event_id(f"{package}{before}") is None


reasons = st.sampled_from(["", "deactivated", "probation", "rejected", "timeout", "giveup", "noresource", "invariant"])
states = st.builds(
    SubscriptionState, st.sampled_from(["active", "pending", "terminated", "waiting"]), st.none() | numbers, reasons
)


@properties
@given(states, mixed_case, blanks, st.lists(token, max_size=2))
def test_subscription_state(state, cased, blank, others):
    assert subscription_state(with_lines(f"Subscription-State: {state}")) == state
    word, *parameters = str(state).split(";")
    text = f"{blank};{blank}".join([cased(word), *(f"x{one}" for one in others), *(cased(one) for one in reversed(parameters))])
    assert subscription_state(with_lines(f"Subscription-State:{blank}{text}")) == state


# ---- who is served, who hides, who waits (RFC 5502 §4.2, RFC 3323 §4.2, RFC 3261 §20.33)


@properties
@given(uris, st.sampled_from(["orig", "term"]))
def test_the_served_user(uri, case):
    assert who_is_served(with_lines(f"{SERVED_USER}: {served_user(str(uri), case)}")) == (case, str(uri))


@properties
@given(st.lists(st.sampled_from(["id", "header", "session", "user", "critical", "history"]), min_size=1, max_size=4),
       blanks, mixed_case, st.booleans())  # fmt: skip
def test_privacy(levels, blank, cased, together):
    lines = [f"{blank};{blank}".join(map(cased, levels))] if together else [cased(level) for level in levels]
    assert privacy_levels(with_lines(*(f"Privacy: {line}" for line in lines))) == frozenset(levels)
    assert privacy_levels(with_lines(*(f"Privacy: {line}" for line in lines), f"Privacy: {cased('none')}")) == frozenset()


comments = st.just("") | st.sampled_from([" (in a meeting)", "(5)", " (a;b)", " (a (b) c)"])


@properties
@given(numbers, comments, st.sampled_from(["", ";duration=3600", " ; duration = 5"]), blanks)
def test_retry_after(seconds, comment, duration, blank):
    assert retry_after(with_lines(f"Retry-After:{blank}{seconds}{comment}{duration}")) == seconds


@properties
@given(sip_uris(), token, mixed_case)
def test_a_feature_by_its_name(uri, name, cased):
    parameters = [part for part in uri.parameters.split(";") if part and part.partition("=")[0].lower() != FEATURE_NAME]
    uri = uri._replace(parameters="".join(f";{part}" for part in [*parameters, f"{cased(FEATURE_NAME)}={cased(name)}"]))
    assert feature_name(parse_uri(str(uri))) == cased(name).lower()
    assert feature_name(uri._replace(parameters="")) == ""


# ---- challenges of ours, and those that a proxy answers (RFC 7616 §3.3, RFC 3261 §22.3)

names = st.sampled_from(sorted(HASHES)) | st.sampled_from(sorted(HASHES)).map("{}-sess".format)
qops = st.sampled_from(["auth", "auth-int", "auth,auth-int"])
challenges = st.builds(
    Challenge, plain_text, plain_text, names, qops.map(lambda text: tuple(text.split(","))), st.booleans(),
    st.just("") | plain_text, st.booleans(),
)  # fmt: skip


def text_of(challenge: Challenge) -> str:
    return challenge_text(
        challenge.realm, challenge.nonce, challenge.stale, challenge.algorithm, ",".join(challenge.qop), challenge.userhash,
        challenge.opaque,
    )  # fmt: skip


@properties
@given(challenges, plain_text, plain_text, st.binary(max_size=20))
def test_a_challenge_of_ours_with_all_that_it_can_ask(challenge, user, password, body):
    assert parse_challenge(text_of(challenge)) == challenge
    read = parse_credentials(answer(parse_challenge(text_of(challenge)), "INVITE", "sip:a@b", user, password, 1, "c", body))
    hashed = HASHES[plain(challenge.algorithm)]
    name = hashed(f"{user}:{challenge.realm}") if challenge.userhash else user
    assert (read.username, read.userhash, read.opaque, read.algorithm) == (
        name, challenge.userhash, challenge.opaque, challenge.algorithm,
    )  # fmt: skip
    secret = ha1(user, challenge.realm, password, plain(challenge.algorithm))
    assert read.response == expected_response(secret, "INVITE", read, hashed, body)


others_challenges = challenges.map(text_of) | st.sampled_from(
    [
        'Digest realm="a, b", nonce="by-proxy=3"', "digest by-proxy=9, realm=a, nonce=b",
        'Digest realm="a" ,nonce="b", By-Proxy="2"',
    ]
)  # fmt: skip


@properties
@given(others_challenges, st.integers(1, MAX_ROUNDS), st.sampled_from(HEADERS))
def test_the_round_of_a_challenge_that_a_proxy_hands_on(text, number, headers):
    """A mark that stood there already is another's: this one counts, and what is challenged stays the same."""
    asked = marked(text, number)
    assert round_of(asked) == number
    assert parse_challenge(asked) == parse_challenge(text)
    assert round_of(marked(asked, MAX_ROUNDS + 1 - number)) == MAX_ROUNDS + 1 - number
    assert rounds(with_lines(f"{headers[1]}: {asked}", "Authorization: Basic x")) == number
    assert rounds(with_lines(f"{headers[0]}: {asked}")) == 0
