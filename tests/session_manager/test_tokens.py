"""What a token proves, and that nobody else can make one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.session_manager.sequences import Position
from b2bua.session_manager.tokens import BETWEEN, CALLEE, CALLER, FlowToken, Tokens
from b2bua.sip.flow import HostPort
from b2bua.sip.uri import parse_uri
from tests.transaction.neighbours import FakeFlow

TOKENS = Tokens(b"k" * 32)


def token(
    call_id: str = "c1", direction: str = CALLER, nat: bool = False, link: str = "cm",
    remote: HostPort = ("192.0.2.10", 5062),
) -> str:  # fmt: skip
    return TOKENS.flow(FakeFlow(remote=remote), call_id, direction, nat, link)


@pytest.mark.parametrize("direction", [CALLER, CALLEE])
@pytest.mark.parametrize("nat", [False, True])
@pytest.mark.parametrize("link", ["", "cm"])
@pytest.mark.parametrize("remote", [("192.0.2.10", 5062), ("2001:db8::10", 40000)])
def test_round_trip(direction: str, nat: bool, link: str, remote: HostPort) -> None:
    made = token(direction=direction, nat=nat, link=link, remote=remote)
    assert TOKENS.read_flow(made, "c1") == FlowToken(direction, nat, "udp:192.0.2.1:5060", remote, link)


def test_it_is_the_user_part_of_a_uri() -> None:
    made = token(remote=("2001:db8::10", 40000), call_id="x@[::1]")
    assert parse_uri(f"sip:{made}@192.0.2.1:5060;lr").user == made
    assert not set(made) & set("@:;?&=+$,/% ")


@pytest.mark.parametrize("call_id", ["c2", "", "c1 ", "C1", "c1\0", "sequence"])
def test_another_call_id_opens_nothing(call_id: str) -> None:
    assert TOKENS.read_flow(token(), call_id) is None


@given(call_id=st.text(max_size=40), other=st.text(max_size=40))
def test_a_branch_is_ours_for_one_call_id_alone(call_id: str, other: str) -> None:
    """It stays a token (RFC 3261 §25.1), and no earlier process of ours has a key of its own."""
    made = TOKENS.branch("z9hG4bK5e551on17.mark", call_id)
    assert made.startswith("z9hG4bK5e551on17.mark") and re.fullmatch(r"[\w.!%*+`'~-]+", made, re.ASCII)
    assert Tokens(b"k" * 32, "another process").is_our_branch(made, call_id)
    assert TOKENS.is_our_branch(made, other) is (other == call_id)
    assert not Tokens(b"x" * 32).is_our_branch(made, call_id)


@pytest.mark.parametrize("branch", ["", "z9hG4bK5e5", "~", "z9hG4bK5e5~", "é~\udcff", "z9hG4bK5e5~AAAAAAAAAAAA"])
def test_a_branch_that_is_none_of_ours(branch: str) -> None:
    assert not TOKENS.is_our_branch(branch, "c1")


def test_a_branch_is_no_route_token_and_the_other_way_about() -> None:
    made = token()
    assert not TOKENS.is_our_branch(made.replace(".", "~"), "c1")
    assert TOKENS.read_flow(TOKENS.branch(made, "c1").replace("~", "."), "c1") is None


def test_another_key_opens_nothing() -> None:
    assert Tokens(b"x" * 32).read_flow(token(), "c1") is None


def test_a_connection_to_an_earlier_process_is_gone() -> None:
    """Whoever comes from its address now may be somebody else. Over UDP the address is all there is."""
    earlier, now = Tokens(b"k" * 32, "one"), Tokens(b"k" * 32, "two")
    for reliable in (True, False):
        flow = FakeFlow(reliable)
        made = earlier.flow(flow, "c1", CALLER, False, "cm")
        same, later = earlier.read_flow(made, "c1"), now.read_flow(made, "c1")
        assert same is not None and not same.gone
        assert later == same._replace(gone=reliable)


def test_a_changed_sign_anywhere_opens_nothing() -> None:
    made = token()
    for index, sign in enumerate(made):
        changed = made[:index] + ("A" if sign != "A" else "B") + made[index + 1 :]
        assert TOKENS.read_flow(changed, "c1") is None, index


@pytest.mark.parametrize("text", ["", ".", "a.b", "a", "....", "\udcff.x", "ü.ü", "=.="])
def test_what_is_no_token(text: str) -> None:
    assert TOKENS.read_flow(text, "c1") is None
    assert TOKENS.read_position(text) is None


def test_a_token_cut_or_lengthened_opens_nothing() -> None:
    made = token()
    for text in (made[1:], made[:-1], made + "A", "A" + made, made + "=", made.replace(".", "=.")):
        assert TOKENS.read_flow(text, "c1") is None


def test_what_was_opened_once_opens_for_its_call_alone() -> None:
    made = token()
    for _ in range(2):
        assert TOKENS.read_flow(made, "c1") is not None
        assert TOKENS.read_flow(made, "c2") is None


FIRST = Position("orig", ("a", "b"))


@pytest.mark.parametrize(
    "position", [FIRST, Position("term", (), ("a",), "6001"), Position("orig", ("b",), ("a", "c"), "a>b,c \udcffü")]
)
def test_a_position(position: Position) -> None:
    for call_id in ("c1", "a>b@x", "\udcff@x", ""):
        assert TOKENS.read_position(TOKENS.position(position, call_id)) == (position, call_id)


def test_a_position_of_another_form_opens_nothing() -> None:
    assert TOKENS.read_position(TOKENS._sign("p2>c1", "sequence")) is None


def test_between_two_feature_servers() -> None:
    made = TOKENS.between("first", "second", "c1")
    found = TOKENS.read_flow(made, "c1")
    assert found is not None and (found.direction, found.listener, found.link) == (BETWEEN, "first", "second")
    assert TOKENS.read_flow(made, "c2") is None and TOKENS.read_position(made) is None


def test_one_kind_is_not_taken_for_the_other() -> None:
    assert TOKENS.read_flow(TOKENS.position(FIRST, "c1"), "sequence") is None
    assert TOKENS.read_position(token(call_id="sequence")) is None


def test_the_call_id_may_hold_any_bytes() -> None:
    assert TOKENS.read_flow(token(call_id="\udcff@x"), "\udcff@x") is not None


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.text(max_size=80), st.text(max_size=20))
def test_nothing_that_a_peer_writes_raises(text: str, call_id: str) -> None:
    assert TOKENS.read_flow(text, call_id) is None
    assert TOKENS.read_position(text) is None


