"""The ring bounded by octets: never more than asked for, the newest always there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from b2bua.trace.recorder import Recorder
from b2bua.trace.ring_bytes import ENTRY
from tests.trace.hand_made import FakeFlow, Scene, document, request

FLOW = FakeFlow(("192.0.2.1", 5061))


def held(trace: Recorder) -> int:
    return sum(len(entry[4]) + ENTRY for entry in trace.entries())


@given(
    st.integers(1, 40), st.integers(0, 20_000),
    st.lists(st.lists(st.integers(0, 3_000), max_size=30), max_size=12),
)  # fmt: skip
def test_it_holds_no_more_than_both_bounds_allow(size: int, most: int, looks: list[list[int]]) -> None:
    trace = Recorder(size, lambda: 1.0, most_bytes=most)
    newest = b""
    for batch in looks:
        for length in batch:
            newest = b"x" * length
            trace.received(FLOW, newest)
        trace.trim()
        assert len(trace) <= size and trace.bytes.total >= held(trace)
        if most and len(trace) > 1:
            assert held(trace) <= most
        if newest:
            assert trace.entries()[-1][4] == newest, "the last one stays, whatever its size"


def test_few_large_ones_do_not_push_out_more_than_they_must() -> None:
    trace = Recorder(1_000, lambda: 1.0, most_bytes=100_000)
    for _ in range(400):
        trace.received(FLOW, b"y" * 700)
        trace.trim()
    assert 90 <= len(trace) <= 100


def test_a_body_that_nobody_has_written_is_not_written_for_it() -> None:
    scene = Scene()
    made = request("PUBLISH", "6001", "6001", "p", 1)

    class Never:
        def encode(self) -> bytes:
            raise AssertionError("nobody wants the bytes")

    made.defer_body(Never())
    scene.recorder.linked(("CM", "SM"), made)
    scene.recorder.trim()
    assert scene.recorder.bytes.total > ENTRY
    assert document("6001", "c")
