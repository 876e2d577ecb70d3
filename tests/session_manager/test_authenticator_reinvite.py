"""The re-INVITE row of the challenge table: `always`, `when-needed`, `never`."""

from __future__ import annotations

import pytest

from b2bua.session_manager.authenticator import LOOPING, LOOPS, TRIES, Passed, Refused, Verdict
from b2bua.sip.digest import parse_challenge
from tests.session_manager.digest_server import Server, message, signed, stale


@pytest.mark.parametrize(("cseq", "nc"), [(5, "00000001"), (6, "00000001"), (99, "00000001"), (6, "00000c0f")])
def test_reinvite_passes_on_its_own_fresh_nonce_with_any_nc(cseq: int, nc: str) -> None:
    server = Server()
    nonce = server.nonce(message(cseq=5), True)
    server.seconds += 32
    assert server.check(signed(message(cseq=cseq), nonce, nc=nc), True) == Passed("6001")


def test_reinvite_is_challenged_and_not_stale_without_credentials() -> None:
    assert not stale(Server().check(message(cseq=5), True))


@pytest.mark.parametrize("fields", [{"call_id": "call-2"}, {"tag": "b"}, {"cseq": 4}])
def test_reinvite_on_a_nonce_bound_otherwise_is_stale(fields: dict) -> None:
    server = Server()
    nonce = server.nonce(message(cseq=5), True)
    verdict = server.challenged(signed(message(**{"cseq": 6, **fields}), nonce), True)
    assert stale(verdict)
    assert parse_challenge(verdict.header_value).nonce != nonce


def test_reinvite_on_a_nonce_older_than_32_seconds_is_stale() -> None:
    server = Server()
    nonce = server.nonce(message(cseq=5), True)
    server.seconds += 32.1
    assert stale(server.check(signed(message(cseq=6), nonce), True))


def test_reinvite_on_a_used_nonce_is_stale_even_with_a_higher_nc() -> None:
    server = Server()
    nonce = server.nonce(message(cseq=5))
    assert server.check(signed(message(cseq=6), nonce)) == Passed("6001")
    assert stale(server.check(signed(message(cseq=7), nonce, nc="00000002"), True))
    assert server.results() == {"ok": 1, "replay": 1}


def test_reinvite_on_another_nodes_nonce_is_stale() -> None:
    assert stale(Server().check(signed(message(cseq=6), Server(key=b"o" * 32).nonce(message(cseq=5), True)), True))


def test_reinvite_with_a_wrong_digest_is_never_stale() -> None:
    server = Server()
    fresh = server.nonce(message(cseq=5), True)
    for nonce in (fresh, "never-ours"):
        assert not stale(server.check(signed(message(cseq=6), nonce, password="wrong"), True))
    assert server.check(signed(message(cseq=6), fresh), True) == Passed("6001")


def test_phone_that_authenticates_in_advance_goes_on_with_the_stale_nonce() -> None:
    server = Server()
    old = server.nonce(message(cseq=1))
    assert server.check(signed(message(cseq=2), old)) == Passed("6001")
    for cseq in range(10, 60, 10):
        verdict = server.challenged(signed(message(cseq=cseq), old, nc="00000002"), True)
        assert stale(verdict)
        fresh = parse_challenge(verdict.header_value).nonce
        assert server.check(signed(message(cseq=cseq + 1), fresh), True) == Passed("6001")


def unusable(server: Server, times: int, call_id: str = "call-1") -> list[Verdict]:
    return [server.check(signed(message(cseq=9, call_id=call_id), "never-ours"), True) for _ in range(times)]


def test_after_three_right_digests_on_unusable_nonces_403() -> None:
    server = Server()
    assert all(stale(verdict) for verdict in unusable(server, 3))
    assert unusable(server, 2) == [Refused(403, "Forbidden", (None, LOOPING, TRIES))] * 2
    assert stale(unusable(server, 1, "call-2")[0])


def test_after_403_a_usable_nonce_still_passes_and_ends_the_count() -> None:
    server = Server()
    unusable(server, 4)
    nonce = server.nonce(message(cseq=9), True)
    assert server.check(signed(message(cseq=10), nonce), True) == Passed("6001")
    assert all(stale(verdict) for verdict in unusable(server, 3))


def test_the_count_ends_with_age() -> None:
    server = Server()
    unusable(server, 4)
    server.seconds += 33
    assert all(stale(verdict) for verdict in unusable(server, 3))


def test_wrong_digests_do_not_count() -> None:
    server = Server()
    for _ in range(5):
        server.check(signed(message(cseq=9), "never-ours", password="wrong"), True)
    assert all(stale(verdict) for verdict in unusable(server, 3))


def test_the_table_of_counts_is_bounded() -> None:
    server = Server()
    for number in range(LOOPS + 40):
        unusable(server, 1, f"call-{number}")
    assert len(server.authenticator._loops) == LOOPS


def test_outside_always_unusable_nonces_never_end_in_403() -> None:
    for server, in_dialog in ((Server(), False), (Server("when-needed"), True)):
        assert all(stale(server.check(signed(message(cseq=9), "never-ours"), in_dialog)) for _ in range(6))


def test_when_needed_credentials_in_advance_pass() -> None:
    server = Server("when-needed")
    nonce = server.nonce()
    assert server.check(signed(message(cseq=2), nonce)) == Passed("6001")
    server.seconds += 100
    assert server.check(signed(message(cseq=3), nonce, nc="00000002"), True) == Passed("6001")
    assert not stale(server.check(message(cseq=4), True))


def test_never_lets_a_reinvite_pass() -> None:
    assert Server("never").check(message(cseq=4), True) == Passed("")
