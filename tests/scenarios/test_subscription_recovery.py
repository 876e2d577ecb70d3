"""A subscription survives the death of the process: its watcher is told the whole state, with numbers that only rise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from b2bua.store.subscription_record import SUBSCRIPTION
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, hang_up, hold, register_again, renderings, subscribe_text, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Options(records=KeptRecords(), tcp=True))
    yield made
    made.quiet()


def records(scene: Scene) -> KeptRecords:
    assert scene.server.records is not None
    return scene.server.records


def kept(scene: Scene) -> int:
    return len(records(scene).records(SUBSCRIPTION))


def rises(phone: ScriptPhone) -> bool:
    numbers = [(request.cseq, document.version) for request, document in zip(phone.notified, phone.documents, strict=True)]
    return all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(numbers))


def subscribe(phone: ScriptPhone, aor: str, expires: int = 600, dialog: ScriptCall | None = None) -> ScriptCall:
    """Up to the SUBSCRIBE with credentials; what it is answered is for the test to say."""
    dialog = dialog or ScriptCall(phone, aor)
    phone >> subscribe_text(phone, aor, dialog=dialog, expires=expires)
    challenge = phone << "401 SUBSCRIBE"
    phone >> subscribe_text(phone, aor, phone.credentials(challenge, "SUBSCRIBE", aor), dialog=dialog, expires=expires)
    return dialog


def test_the_watcher_is_told_the_whole_state_and_numbers_rise_on(scene: Scene) -> None:
    a, b = scene.phone("6001"), scene.phone("6002")
    watch(a, b)
    before = len(a.notified)
    for _ in range(3):
        scene.restart()
        scene.advance(1.1)
    assert len(a.notified) == before + 3 and rises(a)
    assert len({request.call_id for request in a.notified}) == 1
    for phone in (a, b):
        register_again(phone, 11)
    calls = talk(a, b)
    hold(*calls)
    scene.advance(1.1)
    assert renderings(a) == ("", "no")
    scene.restart()
    scene.advance(1.1)
    assert renderings(a) == ("", "no") and rises(a)
    for phone in (a, b):
        register_again(phone, 21)
    hang_up(*calls)
    scene.advance(1.1)
    assert a.lamp.dialogs[0].state == "terminated" and rises(a)


def test_the_200_leaves_after_the_commit(scene: Scene) -> None:
    a = scene.phone("6001")
    records(scene).slow = True
    subscription = subscribe(a, a.aor)
    a.hears_nothing()
    assert kept(scene) == 0 and not a.notified
    records(scene).commit()
    scene.advance(0)
    subscription.learn(a << "200 SUBSCRIBE")
    assert kept(scene) == 1 and len(a.notified) == 1
    subscribe(a, a.aor, 0, subscription)
    a.hears_nothing()
    records(scene).commit()
    scene.advance(0)
    a << "200 SUBSCRIBE"
    assert kept(scene) == 0 and len(a.notified) == 2
    records(scene).slow = False


def test_a_subscription_that_was_never_acknowledged_is_not_there(scene: Scene) -> None:
    a = scene.phone("6001")
    records(scene).slow = True
    subscribe(a, a.aor)
    scene.restart()
    scene.advance(1.1)
    assert kept(scene) == 0 and not a.notified


def test_after_its_end_nothing_comes_back(scene: Scene) -> None:
    a = scene.phone("6001")
    subscription = watch(a, a)
    subscribe(a, a.aor, 0, subscription)
    a << "200 SUBSCRIBE"
    heard = len(a.notified)
    scene.restart()
    scene.advance(1.1)
    assert len(a.notified) == heard and kept(scene) == 0


def test_more_notifys_than_a_record_allows_for(scene: Scene) -> None:
    """The next numbers are reserved in time."""
    a = scene.phone("6001")
    watch(a, a)
    for _ in range(150):
        scene.server.notifier.changed("dialog", a.aor, "")
        scene.advance(1.1)
    assert len(a.notified) == 151
    scene.restart()
    scene.advance(1.1)
    assert len(a.notified) == 152 and rises(a)


def test_a_phone_whose_connection_is_gone_hears_when_it_is_back(scene: Scene) -> None:
    a = scene.tcp_phone("6001", listening=False)
    watch(a, a)
    scene.advance(1.1)
    heard = len(a.notified)
    scene.restart()
    scene.advance(100)
    assert len(a.notified) == heard and kept(scene) == 1
    a.connect_from(49153)
    register_again(a, 11)
    scene.advance(1.1)
    assert len(a.notified) == heard + 1 and rises(a)


def test_a_full_disk_refuses_new_ones_and_keeps_what_stands(scene: Scene) -> None:
    a = scene.phone("6001")
    subscription = watch(a, a)
    records(scene).failing = True
    subscribe(a, "sip:6002@example.com")
    refusal = a << "500 SUBSCRIBE"
    assert refusal.get("Retry-After") == "10"
    assert scene.count("overload_rejected", "store") == 1
    subscribe(a, a.aor, 3600, subscription)
    answer = a << "200 SUBSCRIBE"
    assert answer.get("Expires") == "60"
    assert scene.count("not_durable", "subscription") == 1
    records(scene).failing = False
    scene.advance(1.1)
    assert kept(scene) == 1
    subscribe(a, a.aor, 600, subscription)
    assert (a << "200 SUBSCRIBE").get("Expires") == "600"


@pytest.mark.row(11)
def test_a_subscribe_sent_again_after_a_restart_finds_its_subscription(scene: Scene) -> None:
    """Its 200 was lost with the process: the phone knows no dialog and repeats the request. A second dialog beside the first
    would light the lamp twice, with numbers that start anew."""
    a = scene.phone("6001")
    dialog = subscribe(a, a.aor)
    first = a << "200 SUBSCRIBE"  # not heard
    scene.restart()
    subscribe(a, a.aor, 600, dialog)
    again = a << "200 SUBSCRIBE"
    assert again.to.tag == first.to.tag and kept(scene) == 1
    dialog.learn(again)
    scene.advance(1.1)
    assert {request.from_.tag for request in a.notified} == {first.to.tag} and rises(a)
    scene.server.notifier.changed("dialog", a.aor, "")
    heard = len(a.notified)
    scene.advance(1.1)
    assert len(a.notified) == heard + 1 and rises(a)
    subscribe(a, a.aor, 0, dialog)
    a << "200 SUBSCRIBE"
    assert kept(scene) == 0 and "terminated" in (a.notified[-1].get("Subscription-State") or "")


def test_a_damaged_record_is_set_aside(scene: Scene) -> None:
    a = scene.phone("6001")
    watch(a, a)
    store = records(scene)
    good = dict(store.kept)
    [(kind, key)] = [place for place in good if place[0] == SUBSCRIPTION]
    for number, text in enumerate(("", "{", "{}", '{"version":99}', good[kind, key])):
        store.kept[kind, f"bad{number}"] = text
    scene.restart()
    scene.advance(1.1)
    assert len(store.set_aside_for) == 5 and kept(scene) == 1
    assert len(a.notified) == 2
