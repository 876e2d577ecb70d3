"""A phone's publication survives the death of the process: its entity tag is good, and what watches shows it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant
from b2bua.sip.message import Response
from b2bua.store.publication_record import PUBLICATION
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Options(records=KeptRecords()))
    yield made
    made.quiet()


def records(scene: Scene) -> KeptRecords:
    assert scene.server.records is not None
    return scene.server.records


def kept(scene: Scene) -> int:
    return len(records(scene).records(PUBLICATION))


def document(aor: str, state: str, call_id: str = "c1") -> str:
    dialog = DialogState("d1", state, call_id=call_id, local=Participant(aor, aor), remote=Participant("sip:6009@example.com"))
    return DialogInfo(aor, (dialog,)).encode().decode()


def publish(phone: ScriptPhone, tag: str, state: str, expires: int = 600, call_id: str = "c1") -> None:
    """Up to the PUBLISH with credentials; what it is answered is for the test to say."""
    call = ScriptCall(phone, phone.aor)
    lines = ["Event: dialog", f"Expires: {expires}"] + [f"SIP-If-Match: {tag}"] * bool(tag)
    text = partial(call.request, "PUBLISH", document(phone.aor, state, call_id) if state else "", *lines)

    def typed(*more: str) -> str:
        return text(*more).replace("application/sdp", "application/dialog-info+xml")

    phone >> typed()
    challenge = phone << "407 PUBLISH"
    phone >> typed(phone.credentials(challenge, "PUBLISH", phone.aor))


def taken(phone: ScriptPhone, expires: str = "600") -> str:
    """The entity tag of a PUBLISH that was accepted."""
    answer = phone << "200 PUBLISH"
    assert isinstance(answer, Response) and answer.get("Expires") == expires
    return answer.get("SIP-ETag") or ""


def lamp(phone: ScriptPhone) -> str:
    return phone.lamp.dialogs[0].state


def test_its_tag_is_good_and_its_state_is_shown(scene: Scene) -> None:
    a = scene.phone("6001")
    watch(a, a)
    publish(a, "", "confirmed")
    first = taken(a)
    scene.restart()
    scene.advance(1.1)
    assert lamp(a) == "confirmed" and kept(scene) == 1
    publish(a, first, "")  # a refresh
    second = taken(a)
    scene.restart()
    scene.advance(1.1)
    publish(a, first, "early")
    a << "412 PUBLISH"
    publish(a, second, "early")
    third = taken(a)
    scene.advance(1.1)
    assert lamp(a) == "early" and len({first, second, third}) == 3
    scene.restart()
    scene.advance(1.1)
    publish(a, third, "", 0)
    taken(a, "0")
    scene.advance(1.1)
    assert (a.lamp.dialogs[0].id, kept(scene)) == ("idle", 0)
    scene.restart()
    scene.advance(1.1)
    assert a.lamp.dialogs[0].id == "idle"


def test_the_200_leaves_after_the_commit(scene: Scene) -> None:
    a = scene.phone("6001")
    records(scene).slow = True
    publish(a, "", "confirmed")
    a.hears_nothing()
    assert kept(scene) == 0
    records(scene).commit()
    scene.advance(0)
    tag = taken(a)
    assert kept(scene) == 1
    records(scene).slow = False
    publish(a, tag, "", 0)
    taken(a, "0")


def test_one_that_expires_is_gone_from_the_store(scene: Scene) -> None:
    a = scene.phone("6001")
    publish(a, "", "confirmed", 60)
    taken(a, "60")
    scene.advance(30)
    scene.restart()
    assert kept(scene) == 1
    scene.advance(31)
    assert kept(scene) == 0 and scene.server.event_state.count() == 0


def test_a_full_disk_refuses_new_ones_and_keeps_what_stands(scene: Scene) -> None:
    a, b = scene.phone("6001"), scene.phone("6002")
    publish(a, "", "confirmed")
    tag = taken(a)
    records(scene).failing = True
    publish(b, "", "confirmed")
    refusal = b << "500 PUBLISH"
    assert refusal.get("Retry-After") == "10" and not scene.server.event_state.state("dialog", b.aor)
    publish(a, tag, "early")
    tag = taken(a, "60")
    assert scene.count("not_durable", "publication") == 1
    records(scene).failing = False
    scene.advance(1.1)
    assert kept(scene) == 1
    publish(a, tag, "", 0)
    taken(a, "0")


def test_a_damaged_record_is_set_aside(scene: Scene) -> None:
    a = scene.phone("6001")
    publish(a, "", "confirmed")
    tag = taken(a)
    store = records(scene)
    [good] = [text for place, text in store.kept.items() if place[0] == PUBLICATION]
    bad = ("", "{}", good, good.replace("dialog-info", "other", 1), good.replace('"package":"dialog"', '"package":"x"'))
    for number, text in enumerate(bad):
        store.kept[PUBLICATION, str(100 + number)] = text.replace('"number":1', f'"number":{100 + number}', number > 2)
    scene.restart()
    assert len(store.set_aside_for) == 5
    publish(a, tag, "", 0)
    taken(a, "0")


def test_what_a_phone_may_leave_here_is_bounded_over_a_restart(scene: Scene) -> None:
    a = scene.phone("6001")
    for letter in "cd":
        publish(a, "", "confirmed", call_id=letter * 30_000)
        taken(a)
    scene.restart()
    publish(a, "", "confirmed", call_id="e" * 30_000)
    assert (a << "413 PUBLISH").get("Retry-After") == "60"
    publish(a, "", "confirmed")
    taken(a)
    assert scene.count("overload_rejected", "publications") == 1
    scene.advance(700)
