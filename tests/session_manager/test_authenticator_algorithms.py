"""SHA-256 and SHA-512-256 beside MD5 (RFC 7616, RFC 8760): what is offered to whom, and what is taken."""

from __future__ import annotations

import hashlib
from hashlib import sha256
from typing import Any

import pytest

from b2bua.session_manager import authenticator as module
from b2bua.session_manager.authenticator import Challenge, Passed, Verdict
from b2bua.session_manager.challenge_policy import ChallengePolicy
from b2bua.sip.digest import parse_challenge
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.profiles import Profiles
from tests.session_manager.digest_server import Server, message, signed, stale

ALL = ("MD5", "SHA-256", "SHA-512-256")


def offered(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Challenge)
    return [parse_challenge(value).algorithm for value in (verdict.header_value, *verdict.weaker)]


def nonces(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Challenge)
    return [parse_challenge(value).nonce for value in (verdict.header_value, *verdict.weaker)]


def nonce_for(server: Server, algorithm: str) -> str:
    verdict = server.check(message())
    return nonces(verdict)[offered(verdict).index(algorithm)]


def test_one_challenge_an_algorithm_the_strongest_first_each_with_a_nonce_of_its_own() -> None:
    verdict = Server(algorithms=ALL).check(message())
    assert offered(verdict) == ["SHA-512-256", "SHA-256", "MD5"]
    assert len(set(nonces(verdict))) == 3


@pytest.mark.parametrize("algorithm", ALL)
def test_the_algorithm_of_the_credentials_decides(algorithm: str) -> None:
    server = Server(algorithms=ALL)
    request = signed(message(cseq=2), nonce_for(server, algorithm), algorithm=algorithm)
    assert server.check(request) == Passed("6001")
    assert server.observer.counts["auth_results"] == {("ok", algorithm): 1}


def test_the_name_of_the_algorithm_may_be_in_small_letters() -> None:
    server = Server(algorithms=ALL)
    request = signed(message(cseq=2), nonce_for(server, "SHA-256"), algorithm="SHA-256")
    request.lines[-1] = request.lines[-1].replace("algorithm=SHA-256", "algorithm=sha-256")
    assert server.check(request) == Passed("6001")


@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-512-256", "SHA-256-sess", "SHA-512"])
def test_what_is_not_offered_is_not_taken(algorithm: str) -> None:
    server = Server(algorithms=("MD5",))
    known = algorithm if algorithm in ALL else "SHA-256"
    request = signed(message(cseq=2), server.nonce(), algorithm=known)
    request.lines[-1] = request.lines[-1].replace(f"algorithm={known}", f"algorithm={algorithm}")
    verdict = server.check(request)
    assert offered(verdict) == ["MD5"] and not stale(verdict)


def test_right_credentials_by_md5_do_not_count_where_only_sha_is_offered() -> None:
    server = Server(algorithms=("SHA-256",))
    verdict = server.check(signed(message(cseq=2), server.nonce()))
    assert offered(verdict) == ["SHA-256"] and not stale(verdict)


def test_a_user_without_an_md5_ha1_cannot_be_talked_down() -> None:
    """Though the realm offers it, and though the password in it is right."""
    server = Server(algorithms=ALL, has=("SHA-256",))
    verdict = server.check(signed(message(cseq=2), nonce_for(server, "MD5")))
    assert offered(verdict) == ["SHA-512-256", "SHA-256", "MD5"] and not stale(verdict)
    assert server.results() == {"bad_response": 1}
    nothing = signed(message(cseq=3), nonce_for(server, "MD5"))
    assert isinstance(server.check(nothing), Challenge)
    right = signed(message(cseq=4), nonce_for(server, "SHA-256"), algorithm="SHA-256")
    assert server.check(right) == Passed("6001")


@pytest.mark.parametrize("algorithm", ALL)
def test_nobody_can_answer_for_the_secret_that_stands_in_for_a_missing_one(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(algorithms=ALL, has=())
    monkeypatch.setattr("tests.session_manager.digest_server.ha1", lambda *_: module._NOBODY[algorithm])
    for user in ("6001", "6999"):
        request = signed(message(cseq=2), nonce_for(server, algorithm), algorithm=algorithm, user=user)
        assert isinstance(server.check(request), Challenge)


def test_a_wrong_password_and_an_unknown_user_and_one_without_ha1_get_the_same_bytes() -> None:
    texts = []
    for fields, has in (({"user": "6999"}, ALL), ({"password": "wrong"}, ALL), ({}, ("MD5",))):
        server = Server(algorithms=ALL, has=has)
        request = signed(message(cseq=2), nonce_for(server, "SHA-256"), algorithm="SHA-256", **fields)
        verdict = server.check(request)
        assert isinstance(verdict, Challenge)
        text = "\n".join((verdict.header_name, verdict.header_value, *verdict.weaker))
        for nonce in nonces(verdict):
            text = text.replace(nonce, "")
        texts.append((verdict.status, text, len(server.lookups)))
    assert texts[0] == texts[1] == texts[2]


def test_a_secret_is_computed_with_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost: as many hashes, over texts as long, for a user that does not exist as for a wrong password."""
    costs = []
    for user in ("6001", "6999"):
        server = Server(algorithms=("SHA-256",))
        request = signed(message(cseq=2), server.nonce(), algorithm="SHA-256", user=user, password="wrong")
        seen: list[int] = []

        def counted(text: bytes, seen: list[int] = seen) -> Any:
            seen.append(len(text))
            return sha256(text)

        with monkeypatch.context() as patch:
            patch.setattr("tests.session_manager.digest_server.ha1", lambda *_: "0" * 64)  # what the store has
            patch.setattr(hashlib, "sha256", counted)
            server.check(request)
        costs.append(seen)
    assert costs[0] == costs[1] and len(costs[0]) == 2


def test_credentials_without_qop_are_understood_for_md5_alone() -> None:
    server = Server(algorithms=ALL)
    bare = {"qop": "", "nc": ""}
    assert server.check(signed(message(cseq=2), nonce_for(server, "MD5"), **bare)) == Passed("6001")
    request = signed(message(cseq=3), nonce_for(server, "SHA-256"), algorithm="SHA-256", **bare)
    assert isinstance(server.check(request), Challenge)


def test_stale_stands_in_every_challenge() -> None:
    server = Server(algorithms=ALL)
    nonce = nonce_for(server, "SHA-256")
    server.seconds += 301
    verdict = server.check(signed(message(cseq=2), nonce, algorithm="SHA-256"))
    assert isinstance(verdict, Challenge)
    assert [parse_challenge(value).stale for value in (verdict.header_value, *verdict.weaker)] == [True] * 3


# -- lists of single users -----------------------------------------------------------------------------------


def test_a_user_with_a_list_of_his_own_is_offered_that() -> None:
    server = Server(users={"6001": ("SHA-256", "MD5")})
    assert offered(server.check(message())) == ["SHA-256", "MD5"]
    other = message()
    other.replace("From", "<sip:6003@example.com>;tag=b")
    assert offered(server.check(other)) == ["MD5"]


def test_a_register_is_offered_the_list_of_whom_it_registers() -> None:
    server = Server(users={"6002": ("SHA-512-256",)})
    assert offered(server.check(message("REGISTER"))) == ["SHA-512-256"]  # From 6001, To 6002
    assert offered(server.check(message("INVITE"))) == ["MD5"]


def test_a_users_list_decides_what_is_taken_of_him() -> None:
    server = Server(algorithms=("MD5", "SHA-256"), users={"6001": ("SHA-256",)})
    verdict = server.check(signed(message(cseq=2), server.nonce()))
    assert offered(verdict) == ["SHA-256"]
    assert server.results() == {"bad_response": 1}
    request = signed(message(cseq=3), server.nonce(), algorithm="SHA-256")
    assert server.check(request) == Passed("6001")


def test_a_from_that_cannot_be_read_gets_the_realms_list() -> None:
    server = Server(users={"6001": ("SHA-256",)})
    request = message()
    request.replace("From", "<sip:@>;tag=a")
    assert offered(server.check(request)) == ["MD5"]


# -- at run time ---------------------------------------------------------------------------------------------


def test_another_offer_holds_from_the_next_request_on() -> None:
    server = Server()
    md5, again = server.nonce(), server.nonce()
    server.authenticator.follow(ChallengePolicy(), DigestOffer(("SHA-256", "MD5")), False, Profiles())
    assert server.check(signed(message(cseq=2), md5)) == Passed("6001")
    assert offered(server.check(message())) == ["SHA-256", "MD5"]
    server.authenticator.follow(ChallengePolicy("never", {"MESSAGE": "none"}), DigestOffer(("SHA-256",)), True, Profiles())
    assert isinstance(server.check(signed(message(cseq=2), again)), Challenge)
    assert server.check(message("MESSAGE")) == Passed("")
