"""Application sequences: whose a call passes, in which order, what is passed once, and where it stands when it comes back."""

from __future__ import annotations

import pytest

from b2bua.session_manager.sequences import ORIGINATING, TERMINATING, Position, Sequences, overlap

ONE_EACH = {"6001": (("a", "b"), ("c",)), "6002": (("c",), ("b", "d")), "6003": ((), ()), "6004": ((), ("d", "e"))}


def passed(sequences: Sequences, caller: str, *callees: str) -> list[str]:
    """What a call passes, with its phase; the callee is another one each time it comes back, then stays the last."""
    order, turns = [], list(callees)
    position = sequences.settle(sequences.begin(caller), turns[0])
    while position.left:
        order.append(f"{position.phase} {position.left[0]}")
        turns = turns[1:] or turns
        position = sequences.settle(position.over(), turns[0])
    return order


@pytest.mark.parametrize(
    ("passed", "following", "length"),
    [
        ((), (), 0), (("a",), (), 0), ((), ("a",), 0), (("a",), ("a",), 1), (("a", "b"), ("b", "c"), 1),
        (("a", "b"), ("a", "b"), 2), (("a", "b"), ("a", "c"), 0), (("a", "b", "a"), ("a", "b", "a"), 3),
        (("x", "a", "b"), ("a", "b", "c"), 2), (("b", "a"), ("a", "b", "a", "c"), 1),
    ],
)  # fmt: skip
def test_what_is_in_a_row(passed: tuple[str, ...], following: tuple[str, ...], length: int) -> None:
    assert overlap(passed, following) == length


@pytest.mark.parametrize(
    ("caller", "callee", "order"),
    [
        ("6001", "6002", ["orig a", "orig b", "term d"]),
        ("6002", "6001", ["orig c"]),
        ("6001", "6004", ["orig a", "orig b", "term d", "term e"]),
        ("6003", "6003", []),
        ("6003", "6002", ["term b", "term d"]),
        ("", "6002", ["term b", "term d"]),
        ("6001", "", ["orig a", "orig b"]),
        ("", "", []),
        ("6009", "6008", ["orig a"]),
    ],
)
def test_the_callers_then_the_callees(caller: str, callee: str, order: list[str]) -> None:
    assert passed(Sequences(("a",), ("a",), ONE_EACH), caller, callee) == order


def test_twice() -> None:
    sequences = Sequences(("a",), ("a",), ONE_EACH, twice=True)
    assert passed(sequences, "6001", "6002") == ["orig a", "orig b", "term b", "term d"]
    assert passed(sequences, "6009", "6008") == ["orig a", "term a"]


def test_all_links_each_once() -> None:
    """What calls pass where no setting says anything."""
    sequences = Sequences(("a", "b"), ("a", "b"))
    assert passed(sequences, "6001", "6002") == ["orig a", "orig b"]
    assert passed(sequences, "", "6002") == ["term a", "term b"]
    assert passed(sequences, "6001", "") == ["orig a", "orig b"]
    assert passed(sequences, "6001", "6002", "6003") == ["orig a", "orig b"]
    assert passed(sequences, "", "6002", "6003") == ["term a", "term b"]


def test_another_callee() -> None:
    """An application of the caller's, or of the callee's, sends the call to somebody else: it goes on to that one's."""
    sequences = Sequences((), (), ONE_EACH)
    assert passed(sequences, "6001", "6002", "6004") == ["orig a", "orig b", "term d", "term e"]
    assert passed(sequences, "6003", "6002", "6004") == ["term b", "term d", "term e"]
    assert passed(sequences, "6003", "6004", "6001") == ["term d", "term c"]
    assert passed(sequences, "6003", "6004", "6003") == ["term d"]


def test_where_it_stands() -> None:
    position = Position(ORIGINATING, ("a", "b"), (), "6001")
    assert position.over() == Position(ORIGINATING, ("b",), ("a",), "6001")
    sequences = Sequences((), (), ONE_EACH)
    assert sequences.settle(position, "6002") is position
    behind = sequences.settle(position.over().over(), "6002")
    assert behind == Position(TERMINATING, ("d",), ("a", "b"), "6002")
    assert sequences.settle(behind, "6002") is behind
