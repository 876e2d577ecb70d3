"""RFC 3903 §4 as a publisher: one PUBLISH outstanding per address of record, what changes meanwhile folds."""

from __future__ import annotations

import pytest

from b2bua.feature_server.publication import EXPIRES, MAX_RETRIES, RETRY_AFTER, Publication, Publications
from b2bua.sip.message import Request
from b2bua.sip.reason import REASON
from tests.feature_server.surroundings import Surroundings

AOR = "sip:6001@example.com"


class Text:
    """A document."""

    def __init__(self, text: str) -> None:
        self.text = text

    def encode(self) -> bytes:
        return self.text.encode()


class World(Surroundings):
    def __init__(self) -> None:
        super().__init__()
        self.publications = Publications(self.environment, "dialog", "application/dialog-info+xml")
        self.one = self.publications.open(AOR, "call")
        self.etags = 0
        self.answered = 0

    def update(self, text: str, publication: Publication | None = None) -> None:
        (publication or self.one).update(Text(text))

    @property
    def outstanding(self) -> list[Request]:
        return self.flow.requests("PUBLISH")[self.answered :]

    def reply_with(self, status: int, *headers: tuple[str, str]) -> Request:
        """Answer the outstanding PUBLISH; there must be just one."""
        [request] = self.outstanding
        self.answered += 1
        if status == 200 and not headers:
            self.etags += 1
            headers = (("SIP-ETag", f"e{self.etags}"), ("Expires", str(EXPIRES)))
        self.answer(request, status, *headers)
        return request

    def bodies(self) -> list[bytes]:
        return [request.body for request in self.flow.requests("PUBLISH")]


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_one(world: World) -> None:
    world.update("a")
    [publish] = world.outstanding
    assert (publish.uri, publish.get("To"), publish.cseq) == (AOR, f"<{AOR}>", 1)
    assert publish.from_.uri == "sip:cm@example.com"  # the publisher is the feature server itself
    assert (publish.get("Event"), publish.get("Expires")) == ("dialog", str(EXPIRES))
    assert (publish.get("Content-Type"), publish.body) == ("application/dialog-info+xml", b"a")
    assert not publish.has("SIP-If-Match") and publish.call == "call"
    assert publish.get_all("Content-Length") == ["1"]


def test_the_next_one_names_the_newest_entity_tag(world: World) -> None:
    for number, text in enumerate("abc"):
        world.update(text)
        publish = world.reply_with(200)
        assert publish.get("SIP-If-Match") == (f"e{number}" if number else None)
        assert (publish.cseq, publish.call_id) == (number + 1, world.flow.requests("PUBLISH")[0].call_id)
    assert world.count("publish", "dialog", "200") == 3


def test_what_changes_meanwhile_folds_to_the_newest(world: World) -> None:
    for text in "abcd":
        world.update(text)
    assert world.bodies() == [b"a"]
    world.reply_with(200)
    assert world.bodies() == [b"a", b"d"]
    world.reply_with(200)
    assert world.outstanding == []


def test_one_is_outstanding_per_address_of_record(world: World) -> None:
    same, other = world.publications.open(AOR, "second"), world.publications.open("sip:6002@example.com", "second")
    world.update("a")
    world.update("b", same)
    world.update("c", other)
    assert world.bodies() == [b"a", b"c"]
    world.answer(world.flow.requests("PUBLISH")[0], 200, ("SIP-ETag", "e"))
    assert world.bodies() == [b"a", b"c", b"b"]


def test_those_who_wait_take_turns(world: World) -> None:
    second, third = world.publications.open(AOR, "2"), world.publications.open(AOR, "3")
    world.update("a")
    world.update("b", second)
    world.update("c", third)
    world.update("A")
    for _ in range(4):
        world.reply_with(200)
    assert world.bodies() == [b"a", b"b", b"c", b"A"]


def test_the_end_takes_it_back(world: World) -> None:
    world.update("a")
    world.reply_with(200)
    world.one.end()
    [removal] = world.outstanding
    assert (removal.get("Expires"), removal.get("SIP-If-Match"), removal.body) == ("0", "e1", b"")
    assert not removal.has("Content-Type") and removal.get("Content-Length") == "0"
    world.reply_with(200, ("Expires", "0"))
    world.update("b")
    world.clock.pass_time(10)
    assert world.outstanding == []
    assert world.clock.timers.running() == 0


def test_the_newest_state_goes_before_the_end(world: World) -> None:
    world.update("a")
    world.update("terminated")
    world.one.end()
    world.reply_with(200)
    world.reply_with(200)
    assert world.bodies() == [b"a", b"terminated", b""]
    world.reply_with(200)
    assert world.outstanding == [] and world.clock.timers.running() == 0


def test_the_end_of_what_was_never_published(world: World) -> None:
    world.one.end()
    assert world.outstanding == []
    world.update("b", world.publications.open(AOR, "second"))
    assert len(world.outstanding) == 1  # the turn is free


# -- what it lasts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granted", ["600", "60"])
def test_it_is_refreshed_before_it_expires(world: World, granted: str) -> None:
    world.update("a")
    world.reply_with(200, ("SIP-ETag", "e1"), ("Expires", granted))
    world.clock.pass_time(int(granted) * 0.7)
    assert world.outstanding == []
    world.clock.pass_time(int(granted) * 0.1 + 0.2)
    publish = world.reply_with(200)
    assert (publish.get("SIP-If-Match"), publish.body) == ("e1", b"a")


def test_a_change_puts_the_refresh_off(world: World) -> None:
    world.update("a")
    world.reply_with(200, ("SIP-ETag", "e1"), ("Expires", "100"))
    world.clock.pass_time(60)
    world.update("b")
    world.reply_with(200, ("SIP-ETag", "e2"), ("Expires", "100"))
    world.clock.pass_time(60)
    assert world.outstanding == []
    world.clock.pass_time(25)
    assert len(world.outstanding) == 1


@pytest.mark.parametrize("expires", ["soon", "", "-1"])
def test_an_unreadable_expires_is_the_one_asked_for(world: World, expires: str) -> None:
    world.update("a")
    world.reply_with(200, ("SIP-ETag", "e1"), ("Expires", expires))
    world.update("b")
    assert len(world.outstanding) == 1 and world.core.errors == []


# -- failures -----------------------------------------------------------------------------------------------------


def test_412_publishes_anew(world: World) -> None:
    world.update("a")
    world.reply_with(200)
    world.update("b")
    world.reply_with(412)
    publish = world.reply_with(200)
    assert not publish.has("SIP-If-Match") and publish.body == b"b"


def test_412_with_a_newer_state_waiting(world: World) -> None:
    world.update("a")
    world.reply_with(200)
    world.update("b")
    world.update("c")
    world.reply_with(412)
    assert world.reply_with(200).body == b"c"
    assert world.outstanding == []


def test_412_to_the_removal_is_the_end(world: World) -> None:
    world.update("a")
    world.reply_with(200)
    world.one.end()
    world.reply_with(412)
    assert world.outstanding == []
    world.clock.pass_time(60)
    assert world.outstanding == []


def test_412_to_a_first_one_is_no_endless_loop(world: World) -> None:
    world.update("a")
    world.reply_with(412)
    assert world.outstanding == []  # it named no entity tag: the compositor is confused, not forgetful
    world.clock.pass_time(RETRY_AFTER + 0.1)
    assert len(world.outstanding) == 1


@pytest.mark.parametrize("status", [403, 404, 405, 410, 415, 489, 501])
def test_what_will_never_do_is_not_tried_again(world: World, status: int) -> None:
    world.update("a")
    world.update("b")
    world.reply_with(status)
    world.update("c")
    world.one.end()
    world.clock.pass_time(100)
    assert world.bodies() == [b"a"]
    world.update("x", world.publications.open(AOR, "second"))
    assert len(world.outstanding) == 1  # the turn is free


def test_a_failure_is_tried_again_and_not_for_ever(world: World) -> None:
    world.update("a")
    for number in range(MAX_RETRIES):
        world.reply_with(500)
        assert world.outstanding == []
        world.clock.pass_time(RETRY_AFTER + 0.1)
        assert len(world.outstanding) == 1, number
    world.reply_with(500)
    world.clock.pass_time(300)
    assert world.outstanding == []
    world.update("b")
    assert world.reply_with(200).body == b"b"  # its next change is a new beginning


@pytest.mark.parametrize(
    ("value", "seconds"), [("20", 20.0), ("0", 1.0), ("9999", 60.0), ("7 (in a meeting)", 7.0), ("7;duration=60", 7.0),
                           ("soon", RETRY_AFTER)],
)  # fmt: skip
def test_retry_after_is_obeyed(world: World, value: str, seconds: float) -> None:
    world.update("a")
    world.reply_with(500, ("Retry-After", value))
    world.clock.pass_time(seconds - 0.2)
    assert world.outstanding == []
    world.clock.pass_time(0.4)
    assert len(world.outstanding) == 1 and world.core.errors == []


def test_no_answer_is_tried_again(world: World) -> None:
    world.update("a")
    world.clock.pass_time(32.1)
    assert world.count("publish", "dialog", "408") == 1
    world.answered = 1
    world.clock.pass_time(RETRY_AFTER + 0.1)
    assert world.reply_with(200).body == b"a"


def test_a_connection_that_is_gone_is_waited_for(world: World) -> None:
    """Session Manager is away for longer than the tries last: what stands is published when it is back."""
    world.update("a")
    for number in range(3 * MAX_RETRIES):
        world.publications.environment.layer.flow_failed(world.publications.environment.link)
        world.clock.pass_time(RETRY_AFTER + 0.1)
        assert len(world.outstanding) == number + 2  # nobody has answered any
    world.answer(world.outstanding[-1], 200)
    assert world.clock.timers.running() <= 1


def test_a_removal_that_fails_is_tried_again_and_not_for_ever(world: World) -> None:
    world.update("a")
    world.reply_with(200)
    world.one.end()
    for _ in range(MAX_RETRIES):
        assert world.reply_with(500).get("Expires") == "0"
        world.clock.pass_time(RETRY_AFTER + 0.1)
    world.reply_with(500)
    world.clock.pass_time(300)
    assert world.outstanding == [] and world.clock.timers.running() == 0


def test_a_provisional_response_says_nothing(world: World) -> None:
    world.update("a")
    world.answer(world.outstanding[0], 100)
    world.update("b")
    assert len(world.outstanding) == 1


def test_after_which_answers_another_try_cannot_help() -> None:
    """The compositor will not have it (RFC 3903 §4, RFC 3261 §21.4): no such user or event, or nothing of what we speak."""
    hopeless = set()
    for status in (status for status in REASON if status >= 300):
        world = World()
        world.update("a")
        world.reply_with(status)
        world.clock.pass_time(RETRY_AFTER + 0.1)
        if not world.outstanding:
            hopeless.add(status)
    assert hopeless == {403, 404, 405, 410, 415, 416, 420, 489, 501, 604}
