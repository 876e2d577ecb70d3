"""Authentication: the sentences of "Challenges" and of what credentials may say, on a clock of our own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.session_manager import authenticator as module
from b2bua.session_manager.authenticator import LOOPING, TRIES, Challenge, Passed, Refused
from b2bua.session_manager.lenient_nonces import LIFETIME, LenientNonces
from b2bua.sip.digest import Credentials, expected_response, parse_challenge
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.profiles import AVAYA, Profiles
from tests.session_manager.digest_server import BOB, REALM, Server, credentials, message, signed, stale

# -- the challenge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "status", "asks", "answers"), [
    ("REGISTER", 401, "WWW-Authenticate", "Authorization"), ("SUBSCRIBE", 401, "WWW-Authenticate", "Authorization"),
    ("INVITE", 407, "Proxy-Authenticate", "Proxy-Authorization"),
    ("PUBLISH", 407, "Proxy-Authenticate", "Proxy-Authorization"),
    ("MESSAGE", 407, "Proxy-Authenticate", "Proxy-Authorization"),
])  # fmt: skip
def test_challenge_and_its_answer_stand_in_the_headers_of_the_status(method, status, asks, answers) -> None:
    server = Server()
    verdict = server.challenged(message(method))
    assert (verdict.status, verdict.header_name) == (status, asks)
    nonce = parse_challenge(verdict.header_value).nonce
    assert server.check(signed(message(method, 2), nonce, answers)) == Passed("6001")


def test_challenge_offers_md5_alone_with_qop_auth_and_is_not_stale() -> None:
    challenge = parse_challenge(Server().challenged(message()).header_value)
    assert (challenge.realm, challenge.algorithm, challenge.qop, challenge.stale) == (REALM, "MD5", ("auth",), False)


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "NOTIFY"])
def test_never_challenged(method: str) -> None:
    server = Server(overrides={method: "407"})
    assert server.check(message(method)) == server.check(message(method), True) == Passed("")


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "PRACK", "INFO"])
def test_not_challenged_in_dialog_by_default(method: str) -> None:
    assert Server().check(message(method), True) == Passed("")
    assert isinstance(Server().check(message(method), False), Challenge)
    assert isinstance(Server(overrides={method: "407"}).check(message(method), True), Challenge)


def test_subscribe_is_401_in_dialog_too_and_407_where_only_proxied() -> None:
    server = Server()
    assert server.challenged(message("SUBSCRIBE"), True).status == 401
    proxied = server.check(message("SUBSCRIBE"), True, proxied=True)
    assert isinstance(proxied, Challenge)
    assert (proxied.status, proxied.header_name) == (407, "Proxy-Authenticate")
    nonce = parse_challenge(proxied.header_value).nonce
    assert server.check(signed(message("SUBSCRIBE", 2), nonce), True, proxied=True) == Passed("6001")


def test_unknown_user_and_wrong_password_get_the_same_bytes() -> None:
    server = Server()
    texts = []
    for fields in ({"user": "6999"}, {"password": "wrong"}, {"user": ""}):
        verdict = server.challenged(signed(message(cseq=2), server.nonce(), **fields))
        nonce = parse_challenge(verdict.header_value).nonce
        texts.append((verdict.status, verdict.header_name, verdict.header_value.replace(nonce, "")))
    assert len(set(texts)) == 1
    assert "stale" not in texts[0][2]
    assert server.results() == {"unknown_user": 2, "bad_response": 1}


def test_an_unknown_user_cannot_answer_for_the_secret_that_nobody_has() -> None:
    server = Server()
    nonce = server.nonce()
    parts = Credentials("6999", REALM, nonce, BOB, "", "MD5", "auth", "00000001", "c", "")
    response = expected_response(module._NOBODY["MD5"], "INVITE", parts)
    request = message(cseq=2)
    request.append("Proxy-Authorization", (
        f'Digest username="6999", realm="{REALM}", nonce="{nonce}", uri="{BOB}", response="{response}", qop=auth, '
        'nc=00000001, cnonce="c"'
    ))  # fmt: skip
    assert not stale(server.check(request))


def test_counts_challenges_and_results() -> None:
    server = Server()
    nonce = server.nonce()
    server.check(signed(message(cseq=2), nonce))
    server.check(signed(message(cseq=3), nonce))
    server.check(signed(message(cseq=4), Server(key=b"o" * 32).nonce()))
    server.check(message(), True)
    assert server.results() == {"ok": 1, "replay": 1, "stale": 1}
    assert server.observer.counts["auth_challenges"] == {("INVITE", "407", "false"): 3, ("INVITE", "407", "true"): 1}


# -- which credentials ---------------------------------------------------------------------------------------


def test_credentials_of_our_realm_are_found_among_others() -> None:
    server = Server()
    request = message(cseq=2)
    request.append("Proxy-Authorization", credentials("theirs", realm="example.net"))
    request.append("Proxy-Authorization", "Bearer abc")
    assert server.check(signed(request, server.nonce())) == Passed("6001")


def test_credentials_of_another_realm_alone_get_a_challenge() -> None:
    server = Server()
    request = message(cseq=2)
    request.append("Proxy-Authorization", credentials(server.nonce(), realm="example.net"))
    assert not stale(server.check(request))
    assert server.results() == {}


@pytest.mark.parametrize(("method", "header"), [("INVITE", "Authorization"), ("REGISTER", "Proxy-Authorization")])
def test_credentials_in_the_other_header_are_understood(method: str, header: str) -> None:
    server = Server()
    assert server.check(signed(message(method, 2), server.nonce(message(method)), header)) == Passed("6001")


def test_the_header_of_the_status_goes_first() -> None:
    server = Server()
    request = message(cseq=2)
    request.append("Authorization", credentials("old", password="wrong"))
    assert server.check(signed(request, server.nonce())) == Passed("6001")


MALFORMED = [
    "", "Digest", "Digest ,,,", "Basic NjAwMTpzZWNyZXQ=", f'Digest realm="{REALM}"', 'Digest username="6001',
    f'Digest username="6001", realm="{REALM}", nonce="n", uri="{BOB}", response="é"',
    f'Digest username="6001", realm="{REALM}", nonce="n", uri="{BOB}", response="{"0" * 31}"',
    f'Digest username="6001", realm="{REALM}", realm="{REALM}", nonce="n", uri="{BOB}", response="{"0" * 32}"',
    f'Digest username="\udcff", realm="{REALM}", nonce="\udcff", uri="{BOB}", response="{"0" * 32}"',
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED)
def test_malformed_credentials_get_a_plain_challenge(value: str) -> None:
    request = message()
    request.append("Proxy-Authorization", value)
    assert not stale(Server().check(request))


@pytest.mark.parametrize("fields", [
    {"qop": "auth-int"}, {"nc": "000000001"}, {"nc": ""}, {"nc": "0x1"}, {"nc": "1_0"}, {"nc": "-1"}, {"nc": "g"},
    {"nc": "١"}, {"more": ", algorithm=SHA-256"}, {"more": ", algorithm=MD5-sess"}, {"uri": "6002"}, {"uri": "sip:"},
])  # fmt: skip
def test_right_digests_of_a_form_not_offered_get_a_plain_challenge(fields: dict[str, str]) -> None:
    server = Server()
    assert not stale(server.check(signed(message(cseq=2), server.nonce(), **fields)))


@given(
    st.text(max_size=80), st.sampled_from(["username", "realm", "nonce", "uri", "response", "qop", "nc", "algorithm"])
)
@settings(max_examples=200, deadline=None)
def test_no_text_in_credentials_raises_or_passes(text: str, name: str) -> None:
    server = Server()
    fields = {"username": "6001", "realm": REALM, "nonce": "n", "uri": BOB, "response": "0" * 32, name: text}
    request = message()
    # As it comes off the wire: undecodable bytes as surrogates.
    value = ", ".join(f'{key}="{value}"' for key, value in fields.items()).encode("utf-8", "surrogatepass")
    request.append("Proxy-Authorization", "Digest " + value.decode("utf-8", "surrogateescape"))
    assert not isinstance(server.check(request), Passed)


@pytest.mark.parametrize("nc", ["1", "0001", "0000000A", "ffffffff"])
def test_nc_is_understood_without_leading_zeros(nc: str) -> None:
    server = Server()
    assert server.check(signed(message(cseq=2), server.nonce(), nc=nc)) == Passed("6001")


def test_without_qop_a_nonce_passes_once() -> None:
    server = Server()
    nonce = server.nonce()
    assert server.check(signed(message(cseq=2), nonce, qop="")) == Passed("6001")
    assert stale(server.check(signed(message(cseq=3), nonce, qop="")))
    assert stale(server.check(signed(message(cseq=3), nonce)))
    nonce = server.nonce()
    assert server.check(signed(message(cseq=2), nonce)) == Passed("6001")
    assert stale(server.check(signed(message(cseq=3), nonce, qop="")))


# -- the digest uri ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("uri", "passes"), [
    (BOB, True), ("sip:anyone@example.com", True), ("sip:EXAMPLE.com:5060", True), ("sip:192.0.2.1:5060", True),
    ("sip:[2001:DB8::1]", True), ("sip:6002@192.0.2.77", True), ("sip:6002@192.0.2.77:5099", True),
    ("sip:2001:db8::1:5060", True), ("sip:2001:db8::2:5060", False),  # as SIPp writes IPv6
    ("sip:6002@example.net", False), ("sip:6002@192.0.2.1:5099", False), ("tel:6002", False),
])  # fmt: skip
def test_host_of_the_digest_uri_is_an_alias_or_the_request_uris(uri: str, passes: bool) -> None:
    server = Server()
    request = message(cseq=2, uri="sip:leg-1@192.0.2.77:5070;fs=cm")
    verdict = server.check(signed(request, server.nonce(), uri=uri))
    assert verdict == Passed("6001") if passes else isinstance(verdict, Refused) and verdict.status == 400


def test_strict_digest_uri_demands_equality() -> None:
    server = Server(strict_uri=True)
    assert server.check(signed(message(cseq=2), server.nonce())) == Passed("6001")
    verdict = server.check(signed(message(cseq=2), server.nonce(), uri="sip:example.com"))
    assert isinstance(verdict, Refused)
    assert verdict.status == 400  # RFC 7616 §3.4.6


def test_a_wrong_digest_uri_says_nothing_about_the_user() -> None:
    server = Server()
    verdicts = {
        server.check(signed(message(cseq=2), server.nonce(), uri="sip:x@example.net", user=user, password=password))
        for user, password in (("6001", "secret"), ("6001", "wrong"), ("6999", "secret"))
    }
    assert len(verdicts) == 1
    assert server.lookups == []


# -- nonce and nc --------------------------------------------------------------------------------------------


def test_a_nonce_serves_many_requests_with_rising_nc() -> None:
    server = Server()
    nonce = server.nonce(message("REGISTER"))
    for nc in ("00000001", "00000002", "00000005", "00000003"):
        assert server.check(signed(message("REGISTER", 2), nonce, "Authorization", nc=nc)) == Passed("6001")
    assert stale(server.check(signed(message("REGISTER", 9), nonce, "Authorization", nc="00000003")))


def test_a_nonce_of_one_call_serves_another() -> None:
    server = Server()
    nonce = server.nonce(message("SUBSCRIBE", call_id="call-1"))
    assert server.check(signed(message("SUBSCRIBE", call_id="call-2"), nonce, "Authorization")) == Passed("6001")


def test_stale_when_the_digest_is_right_and_the_nonce_too_old() -> None:
    server = Server()
    nonce = server.nonce()
    server.seconds += 301
    assert stale(server.check(signed(message(cseq=2), nonce)))
    assert not stale(server.check(signed(message(cseq=2), nonce, password="wrong")))


@pytest.mark.parametrize("foreign", ["never-ours", Server(key=b"o" * 32).nonce()])
def test_stale_after_a_restart_or_from_another_node(foreign: str) -> None:
    server = Server()
    assert stale(server.check(signed(message(cseq=2), foreign)))
    assert not stale(server.check(signed(message(cseq=2), foreign, password="wrong")))
    assert not stale(server.check(signed(message(cseq=2), foreign, user="6999")))


def test_wrong_digests_make_no_state() -> None:
    server = Server()
    nonce = server.nonce()
    for _ in range(5):
        server.check(signed(message(cseq=2), nonce, password="wrong"))
    assert len(server.authenticator._nonces) == 0
    assert server.check(signed(message(cseq=2), nonce)) == Passed("6001")


@pytest.mark.parametrize("in_dialog", [False, True])
def test_an_identical_copy_passes_on_another_branch_and_nothing_else_does(in_dialog: bool) -> None:
    server = Server()
    nonce = server.nonce(message(cseq=1), in_dialog)
    assert server.check(signed(message(cseq=2, body=b"v=0"), nonce), in_dialog) == Passed("6001")
    copy = message(cseq=2, body=b"v=0", branch="z9hG4bK2")
    assert server.check(signed(copy, nonce), in_dialog) == Passed("6001")
    others = [message(cseq=3, body=b"v=0"), message(cseq=2, body=b"v=1"), message(cseq=2, body=b"v=0", tag="b"),
              message(cseq=2, body=b"v=0", call_id="call-2"),
              message(cseq=2, body=b"v=0", uri="sip:6003@example.com")]  # fmt: skip
    assert all(stale(server.check(signed(other, nonce, uri=BOB), in_dialog)) for other in others[:4])
    verdict = server.check(signed(others[4], nonce, uri=BOB), in_dialog)
    # In dialog it is this Call-ID's fourth right digest in a row on an unusable nonce.
    assert verdict == Refused(403, "Forbidden", (None, LOOPING, TRIES)) if in_dialog else stale(verdict)


# -- stripping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "ACK", "BYE"])
def test_strip_takes_our_realm_out_and_leaves_the_others(method: str) -> None:
    request = message(method)
    theirs = credentials("n", realm="example.net")
    for header in ("Authorization", "Proxy-Authorization"):
        for value in (credentials("n"), theirs, credentials("m"), "Bearer abc"):
            request.append(header, value)
    Server().authenticator.strip(request)
    for header in ("Authorization", "Proxy-Authorization"):
        assert request.get_all(header) == [theirs, "Bearer abc"]
    assert len(request.names) == len(request.lines)


@pytest.mark.parametrize("value", [
    'Digest username="6001, realm="example.com"', 'Digest realm="example.com", realm="example.com"',
    'Digest  Realm = "example\\.com" , username="6001"', "Digest realm=example.com",
])  # fmt: skip
def test_strip_takes_odd_spellings_of_our_realm_too(value: str) -> None:
    request = message()
    request.append("Proxy-Authorization", value)
    Server().authenticator.strip(request)
    assert not request.has("Proxy-Authorization")


def test_strip_leaves_a_user_of_another_realm_named_like_ours() -> None:
    request = message()
    request.append("Proxy-Authorization", credentials("n", user="6001@example.com", realm="example.net"))
    Server().authenticator.strip(request)
    assert request.has("Proxy-Authorization")


def test_strip_leaves_a_request_without_credentials_as_it_is() -> None:
    request = message()
    before = request.encode()
    Server().authenticator.strip(request)
    assert request.encode() == before


# -- the profile avaya ---------------------------------------------------------------------------------------


def lenient(*users: str) -> Server:
    server = Server()
    server.authenticator._lenient = LenientNonces(server.key, lambda: server.seconds)
    profiles = Profiles((), {user: [AVAYA] for user in users}) if users else Profiles([AVAYA])
    server.authenticator.follow(server.authenticator._policy, DigestOffer(), False, profiles)
    return server


def test_a_lenient_nonce_past_its_day_brings_a_challenge_that_says_stale_false() -> None:
    server = lenient()
    nonce = server.nonce()
    server.seconds += LIFETIME
    assert server.check(signed(message(cseq=2), nonce)) == Passed("6001")
    server.seconds += 1
    verdict = server.challenged(signed(message(cseq=3), nonce))
    assert "stale=false" in verdict.header_value
    assert server.results() == {"ok": 1, "stale": 1}
    assert server.check(signed(message(cseq=4), parse_challenge(verdict.header_value).nonce)) == Passed("6001")


def test_a_lenient_nonce_without_qop_passes() -> None:
    server = lenient()
    nonce = server.nonce()
    assert [server.check(signed(message(cseq=cseq), nonce, qop="")) for cseq in (2, 3)] == [Passed("6001")] * 2


def test_once_the_profile_is_off_its_nonces_are_stale() -> None:
    server = lenient("6001")
    nonce = server.nonce()
    server.authenticator.follow(server.authenticator._policy, DigestOffer(), False, Profiles())
    verdict = server.check(signed(message(cseq=2), nonce))
    assert stale(verdict)
    server = lenient("6002")
    assert stale(server.check(signed(message(cseq=2), nonce)))


def test_a_lenient_nonce_is_no_help_to_a_wrong_password() -> None:
    server = lenient()
    assert server.challenged(signed(message(cseq=2), server.nonce(), password="wrong")).wrong
