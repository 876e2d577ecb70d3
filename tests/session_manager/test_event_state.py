"""RFC 3903 §6, step by step."""

from __future__ import annotations

from itertools import count

import pytest

from b2bua.observer import Observer
from b2bua.session_manager.event_packages import by_name
from b2bua.session_manager.event_packages.dialog_event import DIALOG
from b2bua.session_manager.event_packages.package import Answer
from b2bua.session_manager.event_state import MAX_PHONE_BYTES, MAX_PHONE_PUBLICATIONS, EventState
from b2bua.sip.dialog_info import CONTENT_TYPE, DialogInfo, DialogState
from b2bua.sip.message import Request
from b2bua.transaction.timers import Timers

AOR = "sip:6001@example.com"


def document(state: str = "confirmed", call_id: str = "c1") -> DialogInfo:
    return DialogInfo(AOR, (DialogState("d1", state, call_id, "a", "b"),))


class World:
    def __init__(self) -> None:
        self.time = 1000.0
        self.timers = Timers(lambda: self.time)
        self.changes: list[tuple[str, str, str]] = []
        self.observer = Observer()
        tags = count(1)
        self.events = EventState(
            by_name(DIALOG), lambda: f"tag{next(tags)}", self.timers, lambda *change: self.changes.append(change),
            observer=self.observer,
        )  # fmt: skip

    def publish(
        self,
        value: DialogInfo | bytes | None = None,
        *,
        tag: str | None = None,
        expires: int | str | None = 600,
        event: str | None = "dialog",
        content_type: str = CONTENT_TYPE,
        link: str = "",
        call: str = "",
        aor: str = AOR,
    ) -> Answer:
        """A typed value goes in as over the link in process, bytes as from a wire."""
        request = Request("PUBLISH", aor, [], [])
        if event is not None:
            request.append("Event", event)
        if tag is not None:
            request.append("SIP-If-Match", tag)
        if expires is not None:
            request.append("Expires", str(expires))
        if isinstance(value, bytes):
            request.set_body(value, content_type)
        else:
            request.content = value
        request.call = call
        return self.events.publish(request, aor, link)

    def states(self) -> list[str]:
        return [publication.value.dialogs[0].state for publication in self.events.state("dialog", AOR)]

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        self.timers.advance()


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers)[name]


@pytest.fixture
def world() -> World:
    return World()


def test_initial_publication_gets_tag_and_expires(world: World) -> None:
    answer = world.publish(document(), call="t1")
    assert (answer.status, header(answer, "Expires"), header(answer, "SIP-ETag")) == (200, "600", "tag1")
    assert world.states() == ["confirmed"]
    assert world.changes == [("dialog", AOR, "t1")]


def test_body_from_the_wire_is_parsed(world: World) -> None:
    answer = world.publish(document("early").encode(), content_type="Application/Dialog-Info+XML; charset=utf-8")
    assert answer.status == 200
    assert world.states() == ["early"]


@pytest.mark.parametrize("event", [None, "presence", "Dialog", ""])
def test_unknown_event_is_489(world: World, event: str | None) -> None:
    answer = world.publish(document(), event=event)
    assert (answer.status, header(answer, "Allow-Events")) == (489, "dialog")


def test_event_parameters_do_not_matter(world: World) -> None:
    assert world.publish(document(), event="dialog ;id=7").status == 200


def test_unknown_entity_tag_is_412(world: World) -> None:
    assert world.publish(document(), tag="nobody").status == 412
    world.publish(document())
    assert world.publish(document(), tag="nobody").status == 412


@pytest.mark.parametrize("tag", ["", "tag1, tag2", "tag1 tag2"])
def test_if_match_takes_a_single_tag(world: World, tag: str) -> None:
    world.publish(document())
    assert world.publish(document(), tag=tag).status == 400


def test_entity_tag_of_another_resource_or_sender_is_412(world: World) -> None:
    world.publish(document(), link="cm")
    assert world.publish(document("terminated"), tag="tag1").status == 412
    assert world.publish(document("terminated"), tag="tag1", link="other").status == 412
    assert world.publish(document("terminated"), tag="tag1", link="cm", aor="sip:6002@example.com").status == 412
    assert world.states() == ["confirmed"]


def test_too_brief_is_423_and_too_long_is_shortened(world: World) -> None:
    answer = world.publish(document(), expires=59)
    assert (answer.status, header(answer, "Min-Expires")) == (423, "60")
    assert header(world.publish(document(), expires=86400), "Expires") == "3600"
    assert header(world.publish(document(), expires=None), "Expires") == "3600"
    assert world.publish(document(), expires="soon").status == 400


def test_wrong_content_type_is_415(world: World) -> None:
    answer = world.publish(b"<presence/>", content_type="application/pidf+xml")
    assert (answer.status, header(answer, "Accept")) == (415, CONTENT_TYPE)


def test_foreign_content_is_no_typed_body(world: World) -> None:
    request = Request("PUBLISH", AOR, ["Event"], ["Event: dialog"])
    request.content = "something else"
    assert world.events.publish(request, AOR, "").status == 415


def test_encoded_body_is_415(world: World) -> None:
    request = Request("PUBLISH", AOR, ["Event", "Content-Encoding"], ["Event: dialog", "Content-Encoding: gzip"])
    request.set_body(b"\x1f\x8b", CONTENT_TYPE)
    answer = world.events.publish(request, AOR, "")
    assert (answer.status, header(answer, "Accept-Encoding")) == (415, "identity")


def test_bad_document_is_400_and_stores_nothing(world: World) -> None:
    assert world.publish(b"<dialog-info>").status == 400
    assert world.publish(None).status == 400  # initial without a body
    assert world.events.count() == 0 and not world.changes


def test_refused_change_leaves_the_old_state_and_tag(world: World) -> None:
    world.publish(document())
    assert world.publish(b"<dialog-info>", tag="tag1").status == 400
    assert world.publish(document("terminated"), tag="tag1").status == 200


def test_refresh_keeps_the_state_and_tells_nobody(world: World) -> None:
    world.publish(document())
    answer = world.publish(tag="tag1", expires=900)
    assert (answer.status, header(answer, "SIP-ETag"), header(answer, "Expires")) == (200, "tag2", "900")
    assert world.states() == ["confirmed"] and len(world.changes) == 1
    assert world.publish(tag="tag1").status == 412


def test_modify_replaces_the_state(world: World) -> None:
    world.publish(document("early"))
    assert header(world.publish(document("confirmed"), tag="tag1", call="t2"), "SIP-ETag") == "tag2"
    assert world.states() == ["confirmed"]
    assert world.changes[-1] == ("dialog", AOR, "t2")


def test_same_state_again_is_no_change(world: World) -> None:
    world.publish(document())
    world.publish(document(), tag="tag1")
    assert len(world.changes) == 1


def test_removal(world: World) -> None:
    world.publish(document())
    answer = world.publish(tag="tag1", expires=0, call="t3")
    assert (answer.status, header(answer, "Expires"), header(answer, "SIP-ETag")) == (200, "0", "tag2")
    assert world.events.state("dialog", AOR) == [] and world.events.count() == 0
    assert world.changes[-1] == ("dialog", AOR, "t3")
    assert world.publish(tag="tag2").status == 412
    assert world.timers.running() == 0


def test_initial_publication_for_no_time_stores_nothing(world: World) -> None:
    assert header(world.publish(document(), expires=0), "Expires") == "0"
    assert world.events.count() == 0 and not world.changes


def test_expiry_removes_and_names_the_call_that_published(world: World) -> None:
    world.publish(document(), expires=60, call="t4")
    world.pass_time(59)
    assert world.events.count() == 1
    world.pass_time(1.1)
    assert world.events.count() == 0
    assert world.changes[-1] == ("dialog", AOR, "t4")


def test_refresh_moves_the_end_both_ways(world: World) -> None:
    world.publish(document(), expires=100)
    world.pass_time(50)
    world.publish(tag="tag1", expires=100)
    assert world.timers.running() == 1
    world.pass_time(60)
    assert world.events.count() == 1
    world.pass_time(41)
    assert world.events.count() == 0
    world.publish(document(), expires=3600)
    world.publish(tag="tag3", expires=60)
    world.pass_time(61)
    assert world.events.count() == 0 and world.timers.running() == 0


def test_second_initial_publication_of_a_link_for_a_call_replaces_the_first(world: World) -> None:
    world.publish(document("early"), link="cm")
    number = world.events.state("dialog", AOR)[0].number
    world.publish(document("confirmed"), link="cm")
    assert world.states() == ["confirmed"]
    assert world.events.state("dialog", AOR)[0].number == number
    assert world.publish(tag="tag1", link="cm").status == 412
    assert world.publish(tag="tag2", link="cm").status == 200


def test_publications_of_other_calls_links_and_phones_stand_side_by_side(world: World) -> None:
    world.publish(document(), link="cm")
    world.publish(document(call_id="c2"), link="cm")
    world.publish(document(), link="other")
    world.publish(document())
    world.publish(document())
    assert world.events.count() == 5
    assert len({publication.number for publication in world.events.state("dialog", AOR)}) == 5


def test_phones_are_bounded_and_feature_servers_are_not(world: World) -> None:
    for _ in range(MAX_PHONE_PUBLICATIONS):
        assert world.publish(document()).status == 200
    answer = world.publish(document())
    assert (answer.status, header(answer, "Retry-After")) == (500, "60")
    assert world.publish(document("early"), tag="tag1").status == 200
    assert world.publish(document(), link="cm").status == 200


def sized(size: int) -> bytes:
    """A document of so many bytes."""
    written = document().encode()
    return written + b" " * (size - len(written))


def test_bytes_of_phones_are_bounded_and_those_of_feature_servers_are_not(world: World) -> None:
    half = MAX_PHONE_BYTES // 2
    assert world.publish(sized(half)).status == 200
    assert world.publish(sized(half)).status == 200
    answer = world.publish(sized(1000))
    assert (answer.status, header(answer, "Retry-After")) == (413, "60")
    assert world.publish(sized(half), tag="tag1").status == 200  # in the place of its own
    assert world.publish(sized(half + 1), tag="tag2").status == 413
    assert world.publish(tag="tag2").status == 200  # and nothing had changed
    assert world.publish(sized(1000), aor="sip:6002@example.com").status == 200
    assert world.publish(sized(MAX_PHONE_BYTES), link="cm").status == 200
    assert world.observer.counts["overload_rejected"]["publications",] == 2
    assert world.publish(expires=0, tag="tag3").status == 200
    assert world.publish(sized(1000)).status == 200  # there is room again


def test_a_document_that_could_never_be_kept_need_not_come_again(world: World) -> None:
    """RFC 3261 §21.4.11: Retry-After says that the condition is temporary."""
    answer = world.publish(sized(MAX_PHONE_BYTES + 1))
    assert (answer.status, answer.headers) == (413, ())
    assert not world.events.count()


def test_latest_publication_comes_last(world: World) -> None:
    world.publish(document("early"))
    world.publish(document("confirmed"))
    world.publish(document("terminated"), tag="tag1")
    assert world.states() == ["confirmed", "terminated"]
