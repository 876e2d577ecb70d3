"""Frames of every length, in one piece and byte by byte."""

from __future__ import annotations

import pytest

from b2bua.transport.frame_boundary import FrameBoundary


def frame(length: int) -> bytes:
    """A masked frame with a payload of so many bytes."""
    if length < 126:
        head = bytes([0x82, 0x80 | length])
    elif length < 65_536:
        head = b"\x82\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + length.to_bytes(8, "big")
    return head + b"mask" + bytes(length)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_it_is_inside_of_a_frame_until_its_last_byte(length: int) -> None:
    boundary, data = FrameBoundary(), frame(length)
    assert not boundary.inside
    boundary.feed(frame(3) + data[:1])
    assert boundary.inside
    boundary.feed(data[1:-1])
    assert boundary.inside
    boundary.feed(data[-1:])
    assert not boundary.inside


@pytest.mark.parametrize("lengths", [(0, 0), (5, 126, 0, 300), (127, 1)])
def test_byte_by_byte(lengths: tuple[int, ...]) -> None:
    boundary = FrameBoundary()
    for length in lengths:
        for byte in frame(length)[:-1]:
            boundary.feed(bytes([byte]))
            assert boundary.inside
        boundary.feed(frame(length)[-1:])
        assert not boundary.inside
