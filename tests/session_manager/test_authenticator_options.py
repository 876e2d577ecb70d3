"""What RFC 7616 has beyond the default: a protected body, `-sess` keys, hashed user names; each off until it is set."""

from __future__ import annotations

import pytest

from b2bua.session_manager.authenticator import Challenge, Passed
from b2bua.session_manager.user_hashes import UserHashes
from b2bua.sip.digest import answer, parse_challenge
from b2bua.sip.digest_algorithms import HASHES
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.message import Request
from b2bua.sip.profiles import Profiles
from tests.session_manager.digest_server import BOB, REALM, Server, message

SDP = b"v=0\r\n"


def server(**offer: object) -> Server:
    made = Server()
    made.authenticator._user_hashes = UserHashes(REALM, lambda: ("6001", "6002"), lambda: made.seconds)
    made.authenticator.follow(made.authenticator._policy, DigestOffer(**offer), False, Profiles())  # type: ignore[arg-type]  # what it takes
    return made


def signed(
    value: str, password: str = "secret", body: bytes = b"", nc: int = 1, cnonce: str = "c", first: str = "",
    user: str = "6001", sent: bytes | None = None,
) -> Request:  # fmt: skip
    """An INVITE that answers a challenge; `sent` is its body where that is not what was signed."""
    made = message(body=body if sent is None else sent, cseq=nc)
    challenge = parse_challenge(value)
    made.append("Proxy-Authorization", answer(challenge, "INVITE", BOB, user, password, nc, cnonce, body, first))
    return made


def test_nothing_of_it_is_offered_by_default() -> None:
    value = server().challenged(message()).header_value
    assert 'qop="auth"' in value and "algorithm=MD5," in value and "userhash" not in value


# -- auth-int --------------------------------------------------------------------------------------------------


def test_a_protected_body_passes_and_a_changed_one_does_not() -> None:
    there = server(qop=("auth-int",))
    value = there.challenged(message()).header_value
    assert 'qop="auth-int"' in value
    assert there.check(signed(value, body=SDP)) == Passed("6001")
    verdict = there.check(signed(value, body=SDP, sent=SDP + b"x", nc=2))
    assert isinstance(verdict, Challenge) and verdict.wrong


def test_whoever_wants_the_body_protected_takes_nothing_less() -> None:
    there = server(qop=("auth-int",))
    value = there.challenged(message()).header_value
    for less in ('qop="auth"', ""):
        unprotected = value.replace('qop="auth-int"', less) if less else value.replace(', qop="auth-int"', "")
        verdict = there.check(signed(unprotected))
        assert isinstance(verdict, Challenge) and not verdict.wrong


def test_both_may_be_offered() -> None:
    there = server(qop=("auth-int", "auth"))
    value = there.challenged(message()).header_value
    assert 'qop="auth,auth-int"' in value
    assert there.check(signed(value.replace("auth,auth-int", "auth-int"), body=SDP)) == Passed("6001")
    value = there.challenged(message()).header_value
    assert there.check(signed(value, body=SDP)) == Passed("6001")


def test_auth_int_is_not_taken_where_it_was_not_offered() -> None:
    there = server()
    value = there.challenged(message()).header_value.replace('"auth"', '"auth-int"')
    assert isinstance(there.check(signed(value)), Challenge)


# -- -sess -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", sorted(HASHES))
def test_a_session_key(algorithm: str) -> None:
    there = server(realm=(algorithm,), session_keys=True)
    challenge = there.challenged(message())
    assert f"algorithm={algorithm}-sess," in challenge.header_value
    assert [f"algorithm={algorithm}," in value for value in challenge.weaker] == [True]
    assert there.check(signed(challenge.header_value)) == Passed("6001")
    assert there.check(signed(challenge.weaker[0])) == Passed("6001")


def test_the_session_key_stays_that_of_the_first_use() -> None:
    """RFC 7616 §3.4.2: nonce-prime and cnonce-prime; a phone may change its cnonce with each request."""
    there = server(session_keys=True)
    value = there.challenged(message()).header_value
    assert there.check(signed(value, cnonce="one")) == Passed("6001")
    assert there.check(signed(value, nc=2, cnonce="two", first="one")) == Passed("6001")
    assert isinstance(there.check(signed(value, nc=3, cnonce="three", first="two")), Challenge)


def test_a_wrong_password_leaves_no_session() -> None:
    there = server(session_keys=True)
    value = there.challenged(message()).header_value
    assert isinstance(there.check(signed(value, "wrong", cnonce="theirs")), Challenge)
    assert there.check(signed(value, cnonce="mine")) == Passed("6001")


def test_sess_is_not_taken_where_it_was_not_offered() -> None:
    there = server()
    value = there.challenged(message()).header_value.replace("MD5", "MD5-sess")
    assert isinstance(there.check(signed(value)), Challenge)


# -- userhash --------------------------------------------------------------------------------------------------


def test_a_hashed_name_is_found() -> None:
    there = server(userhash=True)
    value = there.challenged(message()).header_value
    assert value.endswith(", userhash=true")
    assert there.check(signed(value)) == Passed("6001")
    assert there.check(signed(value.replace(", userhash=true", ""), nc=2)) == Passed("6001")


def test_an_unknown_hash_is_answered_like_an_unknown_name_and_a_wrong_password() -> None:
    answers = []
    for user, password in (("6001", "wrong"), ("nobody", "secret")):
        for hashed in (True, False):
            there = server(userhash=True)
            value = there.challenged(message()).header_value
            verdict = there.check(signed(value if hashed else value.replace(", userhash=true", ""), password, user=user))
            assert isinstance(verdict, Challenge) and verdict.wrong
            answers.append(verdict._replace(user="")[:-1])  # user and note are for log and trace; the phone is told the same
    assert len(set(answers)) == 1


def test_the_index_is_made_anew_for_a_new_user_once_a_second_at_most() -> None:
    now, names, asked = [0.0], ["6001"], []

    def all_names() -> list[str]:
        asked.append(now[0])
        return names

    there = UserHashes(REALM, all_names, lambda: now[0])
    hashed = {name: HASHES["MD5"](f"{name}:{REALM}") for name in ("6001", "6002")}
    now[0] = 10.0
    assert there.name_of(hashed["6001"].upper(), "MD5") == "6001"
    names.append("6002")
    for _ in range(100):
        assert there.name_of(hashed["6002"], "MD5") == ""
    now[0] = 11.0
    assert there.name_of(hashed["6002"], "MD5") == "6002"
    assert there.name_of("00", "MD5") == "" and asked == [10.0, 11.0]
