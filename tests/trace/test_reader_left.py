"""The reader of our standard output goes while there is nothing to write: it is noticed."""

from __future__ import annotations

import os
import sys
import threading

from b2bua.trace.reader_left import when_reader_left


def test_the_reader_of_a_pipe_goes(monkeypatch):
    reading, writing = os.pipe()
    left = threading.Event()
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        when_reader_left(left.set)
        os.write(writing, b"a line\n")
        assert os.read(reading, 100) == b"a line\n"
        assert not left.is_set()
        os.close(reading)
        assert left.wait(10)


def test_nobody_can_leave_a_file_or_what_is_closed(monkeypatch, tmp_path):
    before = threading.active_count()
    with (tmp_path / "output").open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        when_reader_left(lambda: None)
    when_reader_left(lambda: None)
    assert threading.active_count() == before
