"""The writer's thread and the turns of who calls it: jobs are handed over when a turn ends, and are one commit then."""

from __future__ import annotations

import pytest

from b2bua.store.record_writes import RecordWrite
from b2bua.store.schema import open_database
from b2bua.store.writer import GROUP_LIMIT, Writer


@pytest.fixture
def scene(tmp_path, reactor):
    """A writer, the list of what runs at the end of the turn, and the statements that SQLite has seen."""
    database = open_database(tmp_path / "b2bua.db")
    statements = []
    database.set_trace_callback(statements.append)
    ends = []
    writer = Writer(database, "b2bua.db", reactor.post, defer=ends.append)
    yield writer, ends, statements
    writer.close()


def row(key):
    return RecordWrite("example.com", "call", key, 2e9, key)


def keys(writer):
    return writer.run(lambda database: [key for (key,) in database.execute("SELECT key FROM records ORDER BY key")])


def test_the_jobs_of_a_turn_are_handed_over_at_its_end_and_are_one_commit(scene, reactor):
    writer, ends, statements = scene
    heard = []
    for key in ("a", "b", "c"):
        writer.submit(row(key), heard.append)
    assert len(ends) == 1, "one hand-over for all of them"
    assert (writer.waiting, statements) == (3, []), "the thread has not been woken"
    ends.pop()()
    reactor.turn()
    assert heard == [None] * 3
    assert (writer.waiting, len(statements)) == (0, 1)


def test_the_next_turn_has_a_hand_over_of_its_own(scene, reactor):
    writer, ends, _ = scene
    heard = []
    for key in ("a", "b"):
        writer.submit(row(key), heard.append)
        ends.pop()()
        reactor.turn()
    assert heard == [None, None]
    assert ends == []


def test_who_waits_for_a_job_has_those_of_before_done_first(scene):
    writer, ends, _ = scene
    writer.submit(row("a"))
    assert keys(writer) == ["a"]
    writer.submit(row("b"))
    ends.pop(0)()  # of the turn whose jobs are gone: it hands over what there is now
    assert keys(writer) == ["a", "b"]
    ends.pop(0)()  # and this one finds nothing left
    assert (keys(writer), ends) == (["a", "b"], [])


def test_a_turn_with_more_jobs_than_a_commit_may_have_is_several(scene, reactor):
    """A start with many calls writes them all in one."""
    writer, ends, statements = scene
    heard = []
    for number in range(2 * GROUP_LIMIT + 1):
        writer.submit(row(f"{number:05}"), heard.append)
    ends.pop()()
    told = []
    while len(heard) <= 2 * GROUP_LIMIT:
        before = len(heard)
        reactor.turn()
        told.append(len(heard) - before)
    assert told == [GROUP_LIMIT, GROUP_LIMIT, 1]
    assert statements.count("COMMIT") == 2, "the last one is a statement of its own"
    assert (set(heard), writer.waiting) == ({None}, 0)


def test_closing_commits_what_its_turn_has_gathered(scene, reactor, tmp_path):
    writer, ends, _ = scene
    heard = []
    writer.submit(row("a"), heard.append)
    writer.close()
    ends.pop()()
    reactor.turn()
    assert heard == [None]
    again = open_database(tmp_path / "b2bua.db")
    assert again.execute("SELECT key FROM records").fetchall() == [("a",)]
    again.close()
