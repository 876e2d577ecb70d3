"""Sessions and attempts: how long, how many, and what ends with them."""

from __future__ import annotations

from itertools import count

from b2bua.http.attempts import MAX_SOURCES, MOST_WRONG, WAIT_SECONDS, Attempts
from b2bua.http.routes import Role
from b2bua.http.sessions import LIFE_SECONDS, MAX_SESSIONS, Sessions


class Streaming:
    """An answer that is under way."""

    def __init__(self) -> None:
        self.cut = False

    def loseConnection(self) -> None:
        self.cut = True


class Desk:
    def __init__(self) -> None:
        self.seconds = 0.0
        numbers = count(1)
        self.sessions = Sessions(lambda: self.seconds, lambda: f"secret-{next(numbers)}")
        self.attempts = Attempts(lambda: self.seconds)


def test_a_session_is_found_by_its_secret_alone() -> None:
    desk = Desk()
    secret = desk.sessions.open("eve", Role.OPERATOR)
    found = desk.sessions.find(secret)
    assert found is not None and (found.name, found.role) == ("eve", Role.OPERATOR)
    for other in ("", "secret-2", secret.upper(), "\udcff"):
        assert desk.sessions.find(other) is None


def test_it_ends_after_its_life_and_cuts_off_what_still_runs() -> None:
    desk = Desk()
    secret = desk.sessions.open("eve", Role.READ_ONLY)
    running, over = Streaming(), Streaming()
    grant = desk.sessions.find(secret)
    assert grant is not None
    grant.began(running)
    grant.began(over)
    grant.finished(over)
    desk.seconds = LIFE_SECONDS - 0.1
    assert desk.sessions.find(secret) is grant
    desk.seconds = LIFE_SECONDS
    desk.sessions.end_what_is_over()
    assert (running.cut, over.cut) == (True, False)
    assert desk.sessions.find(secret) is None


def test_logging_out_ends_one_and_a_changed_account_all_of_its_own() -> None:
    desk = Desk()
    one, other, eves = (desk.sessions.open(name, Role.READ_ONLY) for name in ("bob", "bob", "eve"))
    asking, running = Streaming(), Streaming()
    grant = desk.sessions.find(one)
    assert grant is not None
    grant.began(asking)
    grant.began(running)
    desk.sessions.close(one, asking)
    assert (asking.cut, running.cut) == (False, True)
    assert desk.sessions.find(one) is None and desk.sessions.find(other) is not None
    desk.sessions.close_of("bob")
    assert desk.sessions.find(other) is None and desk.sessions.find(eves) is not None


def test_there_are_no_more_than_so_many() -> None:
    desk = Desk()
    secrets = [desk.sessions.open("eve", Role.READ_ONLY) for _ in range(MAX_SESSIONS + 1)]
    assert len(desk.sessions) == MAX_SESSIONS
    assert desk.sessions.find(secrets[0]) is None and desk.sessions.find(secrets[-1]) is not None


def test_who_is_wrong_too_often_waits_and_others_do_not() -> None:
    desk = Desk()
    assert [desk.attempts.begin("192.0.2.7") for _ in range(MOST_WRONG)] == [0.0] * MOST_WRONG
    desk.seconds = 10.0
    assert desk.attempts.begin("192.0.2.7") == WAIT_SECONDS - 10.0
    assert desk.attempts.begin("::ffff:192.0.2.7") == WAIT_SECONDS - 10.0
    assert desk.attempts.begin("192.0.2.8") == 0.0
    desk.seconds = WAIT_SECONDS
    assert desk.attempts.begin("192.0.2.7") == 0.0


def test_who_is_right_begins_anew() -> None:
    desk = Desk()
    for _ in range(3 * MOST_WRONG):
        assert desk.attempts.begin("192.0.2.7") == 0.0
        desk.attempts.right("192.0.2.7")


def test_a_network_of_ipv6_is_one_source() -> None:
    desk = Desk()
    for number in range(MOST_WRONG):
        assert desk.attempts.begin(f"2001:db8::{number}") == 0.0
    assert desk.attempts.begin("2001:db8::ff") > 0.0
    assert desk.attempts.begin("2001:db8:0:1::1") == 0.0


def test_so_many_sources_are_counted() -> None:
    desk = Desk()
    for number in range(MAX_SOURCES + MOST_WRONG):
        desk.attempts.begin(f"host-{number}")
    assert len(desk.attempts._wrong) == MAX_SOURCES
