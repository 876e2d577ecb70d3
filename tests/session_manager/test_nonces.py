"""Nonces: made without a table, read by key, never used twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.session_manager import nonces as module
from b2bua.session_manager.nonces import NO_NC, NcWindow, Nonce, Nonces

KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def made(nonces: Nonces, call_id: str = "call-1", tag: str = "a", cseq: int = 7) -> Nonce:
    nonce = nonces.read(nonces.make(call_id, tag, cseq))
    assert nonce is not None
    return nonce


def test_carries_time_cseq_call_id_and_from_tag_under_the_key() -> None:
    clock = Clock()
    nonces = Nonces(KEY, clock, 300)
    nonce = made(nonces, "call-1", "a", 2**31 - 1)
    assert (nonce.issued, nonce.cseq) == (1_700_000_000_000, 2**31 - 1)
    assert nonces.bound(nonce, "call-1", "a")
    assert not nonces.bound(nonce, "call-2", "a")
    assert not nonces.bound(nonce, "call-1", "b")
    clock.seconds += 31.5
    assert nonces.age(nonce) == 31.5


def test_every_nonce_is_new() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    assert len({nonces.make("call-1", "a", 1) for _ in range(100)}) == 100


def test_another_key_reads_nothing() -> None:
    assert Nonces(b"x" * 32, Clock(), 300).read(Nonces(KEY, Clock(), 300).make("call-1", "a", 1)) is None


@pytest.mark.parametrize("spoil", [
    lambda text: text[:-1], lambda text: text + "A", lambda text: "B" + text[1:], lambda text: text + "=",
    lambda text: text[:20] + " " + text[20:], lambda text: text[:-1] + "é", lambda text: "",
])  # fmt: skip
def test_only_the_very_text_is_read(spoil) -> None:
    nonces = Nonces(KEY, Clock(), 300)
    text = nonces.make("call-1", "a", 1)
    assert nonces.read(spoil(text)) is None


@given(st.text(max_size=60))
def test_reads_no_text_of_others(text: str) -> None:
    assert Nonces(KEY, Clock(), 300).read(text) is None


def test_making_and_reading_keeps_no_state() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    for _ in range(100):
        made(nonces)
    assert len(nonces) == 0


def test_same_nc_twice_is_a_replay_but_the_same_request_passes() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    nonce = made(nonces)
    assert [nonces.use(nonce, 1, mark) for mark in (11, 11, 12)] == ["ok", "ok", "replay"]
    assert [nonces.use(nonce, 2, mark) for mark in (21, 21, 22)] == ["ok", "ok", "replay"]
    assert [nonces.use(nonce, 1, mark) for mark in (11, 12)] == ["ok", "replay"]


def test_unseen_nc_passes_out_of_order_within_64_below_the_highest() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    nonce = made(nonces)
    assert nonces.use(nonce, 100, 1) == "ok"
    assert [nonces.use(nonce, nc, 2) for nc in (35, 36, 99, 36)] == ["replay", "ok", "ok", "ok"]
    assert nonces.use(nonce, 101, 3) == "ok"
    assert [nonces.use(nonce, nc, 4) for nc in (36, 37)] == ["replay", "ok"]


def test_a_jump_of_nc_leaves_no_old_marks_behind() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    nonce = made(nonces)
    assert [nonces.use(nonce, nc, nc) for nc in (1, 2, 40, 80, 1000)] == ["ok"] * 5
    assert [nonces.use(nonce, nc, nc) for nc in (80, 935, 936, 937, 999)] == ["replay", "replay", "ok", "ok", "ok"]


def test_first_use_may_have_any_nc() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    assert all(nonces.use(made(nonces), nc, 1) == "ok" for nc in (0, 1, 77, 2**32 - 1))


def test_first_only_lets_the_first_use_and_its_copy_pass() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    nonce = made(nonces)
    assert [nonces.use(nonce, 5, 1, first_only=True) for _ in range(2)] == ["ok", "ok"]
    assert nonces.use(nonce, 6, 2, first_only=True) == "replay"
    assert nonces.use(nonce, 6, 2) == "ok"
    assert nonces.use(nonce, 7, 3, first_only=True) == "replay"
    assert nonces.use(nonce, 5, 1, first_only=True) == "ok"


def test_after_a_use_without_nc_no_nc_passes() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    nonce = made(nonces)
    assert nonces.use(nonce, NO_NC, 1, first_only=True) == "ok"
    assert [nonces.use(nonce, nc, 2) for nc in (1, 2**32 - 1)] == ["replay", "replay"]


def test_stale_after_its_lifetime() -> None:
    clock = Clock()
    nonces = Nonces(KEY, clock, 300)
    one, other = made(nonces), made(nonces)
    clock.seconds += 300
    assert nonces.use(one, 1, 1) == "ok"
    clock.seconds += 0.001
    assert [nonces.use(one, 2, 2), nonces.use(other, 1, 1)] == ["stale", "stale"]


def test_stale_when_the_clock_was_set_back_behind_its_time() -> None:
    clock = Clock()
    nonces = Nonces(KEY, clock, 300)
    nonce = made(nonces)
    clock.seconds -= 3600
    assert nonces.use(nonce, 1, 1) == "stale"
    assert nonces.use(made(nonces), 1, 1) == "ok"


def test_state_ends_with_the_nonce() -> None:
    clock = Clock()
    nonces = Nonces(KEY, clock, 300)
    for nc in (1, 2):
        assert nonces.use(made(nonces), nc, 1) == "ok"
    assert len(nonces) == 2
    for _ in range(2):
        clock.seconds += 301
        nonces.make("call-1", "a", 1)
    assert len(nonces) == 0


def test_state_is_kept_across_the_change_of_generations() -> None:
    clock = Clock()
    nonces = Nonces(KEY, clock, 300)
    clock.seconds += 299
    nonce = made(nonces)
    assert nonces.use(nonce, 1, 1) == "ok"
    clock.seconds += 2  # the generation of the first use closes here
    assert [nonces.use(nonce, nc, 2) for nc in (1, 2, 2)] == ["replay", "ok", "ok"]
    clock.seconds += 297
    assert [nonces.use(nonce, nc, 3) for nc in (1, 2, 3)] == ["replay", "replay", "ok"]


def test_past_the_cap_the_oldest_go_early_and_become_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GENERATION", 8)
    nonces = Nonces(KEY, Clock(), 300)
    used = [made(nonces) for _ in range(30)]
    for nonce in used:
        assert nonces.use(nonce, 1, 1) in ("ok", "stale")
        assert len(nonces) <= 16
    assert nonces.use(used[0], 1, 2) == "stale"
    fresh = made(nonces)
    assert [nonces.use(fresh, nc, 1) for nc in (1, 2)] == ["ok", "ok"]


def test_first_use_is_kept_as_a_number_and_the_second_makes_a_window() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    nonce = made(nonces)
    nonces.use(nonce, 1, 1)
    assert [type(entry) for entry in nonces._current.values()] == [int]
    nonces.use(nonce, 2, 2)
    assert [type(entry) for entry in nonces._current.values()] == [NcWindow]


def test_mark_tells_every_part_of_a_request_apart() -> None:
    nonces = Nonces(KEY, Clock(), 300)
    one = ("call-1", "a", 1, "sip:6002@example.com", "0" * 32, b"v=0")
    others = [
        ("call-2", *one[1:]), (one[0], "b", *one[2:]), (*one[:2], 2, *one[3:]),
        (*one[:3], "sip:6003@example.com", *one[4:]), (*one[:4], "1" * 32, one[5]), (*one[:5], b"v=1"),
    ]  # fmt: skip
    marks = [nonces.mark(*parts) for parts in (one, *others)]
    assert len(set(marks)) == 7
    assert nonces.mark(*one) == marks[0]


STEPS = st.one_of(
    st.just(("make",)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 4.0, 9.9, 10.0, 10.1, 25.0, -3.0, -30.0])),
    st.tuples(
        st.just("use"),
        st.integers(0, 40),
        st.one_of(st.integers(0, 9), st.integers(60, 75), st.sampled_from([2**32 - 1, NO_NC])),
        st.integers(1, 3),
        st.booleans(),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=120), st.sampled_from([4, 8, 131_072]))
def test_no_nonce_with_nc_is_accepted_for_two_requests(steps: list[tuple], cap: int) -> None:
    """Whatever the order, the clock and the evictions; only a copy of the first request may pass again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GENERATION", cap)
        clock = Clock()
        nonces = Nonces(KEY, clock, 10)
        issued, accepted = [made(nonces)], {}
        for step in steps:
            if step[0] == "make":
                issued.append(made(nonces))
            elif step[0] == "wait":
                clock.seconds += step[1]
            else:
                _, which, nc, mark, first_only = step
                nonce = issued[which % len(issued)]
                if nonces.use(nonce, nc, mark, first_only or nc == NO_NC) == "ok":
                    assert accepted.setdefault((nonce.serial, nc), mark) == mark
            assert len(nonces) <= 2 * cap
