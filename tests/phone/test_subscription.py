import pytest

from b2bua.sip.dialog_info import CONTENT_TYPE, DialogInfo, DialogState
from b2bua.sip.reason import REASON
from tests.phone.scripted_peer import ROUTE, Scene

WATCHED = "sip:6002@example.com"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def document(version: int, state: str = "confirmed", kind: str = "full", identifier: str = "d1") -> bytes:
    return DialogInfo(WATCHED, (DialogState(identifier, state),), version, kind).encode()


def notify(scene: Scene, lamp, cseq: int, body: bytes = b"", state: str = "active;expires=3600", tag="peer", *headers):
    call_id, to_tag = lamp.key
    extra = headers or (("Event", "dialog"),)
    return scene.ask("NOTIFY", call_id, cseq, to_tag, body, ("Subscription-State", state), *extra, from_tag=tag)


def watching(scene: Scene):
    lamp = scene.phone.watch("6002")
    scene.reply(scene.one("SUBSCRIBE"), 200, b"", ("Expires", "3600"))
    notify(scene, lamp, 1, document(0, "terminated"))
    scene.one(200)
    return lamp


def test_a_lamp_is_subscribed_to_with_credentials(scene):
    lamp = scene.phone.watch("6002")
    first = scene.one("SUBSCRIBE")
    assert (first.uri, first.get("Event"), first.get("Accept")) == (WATCHED, "dialog", CONTENT_TYPE)
    scene.challenge(first, "n1", status=401)
    second = scene.one("SUBSCRIBE")
    assert (second.call_id, second.cseq, second.has("Authorization")) == (first.call_id, first.cseq + 1, True)
    scene.reply(second, 200, b"", ("Expires", "3600"))
    assert lamp.active


def test_the_last_document_is_kept(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(1))
    scene.one(200)
    assert lamp.document.dialogs[0].state == "confirmed"


def test_a_notify_may_overtake_its_200(scene):
    lamp = scene.phone.watch("6002")
    subscribe = scene.one("SUBSCRIBE")
    notify(scene, lamp, 1, document(0))
    scene.one(200)
    assert lamp.active
    assert lamp.dialog.route_set == [ROUTE]
    scene.reply(subscribe, 200, b"", ("Expires", "3600"))
    assert lamp.document.version == 0


def test_an_older_document_changes_nothing(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(5))
    notify(scene, lamp, 3, document(4, "terminated"))
    assert [message.status for message in scene.take()] == [200, 200]
    assert (lamp.document.version, lamp.document.dialogs[0].state) == (5, "confirmed")


def test_a_notify_with_a_lower_cseq_is_refused(scene):
    lamp = watching(scene)
    notify(scene, lamp, 5, document(1))
    scene.one(200)
    notify(scene, lamp, 4, document(2, "terminated"))
    scene.one(500)
    assert lamp.document.version == 1


def test_a_partial_document_is_merged(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(1, "early"))
    notify(scene, lamp, 3, document(2, "confirmed", "partial", "d2"))
    assert [(dialog.id, dialog.state) for dialog in lamp.document.dialogs] == [("d1", "early"), ("d2", "confirmed")]


def test_a_gap_before_a_partial_document_asks_for_all(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(4, "confirmed", "partial"))
    answer, refresh = scene.take()
    assert (answer.status, refresh.method, refresh.to.tag) == (200, "SUBSCRIBE", "peer")
    assert lamp.document.version == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [((("Event", "presence"),), 489), ((("Event", "dialog;id=1"),), 200)],
)
def test_the_event_is_checked(scene, headers, status):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(1), "active", "peer", *headers)
    scene.one(status)


def test_a_notify_of_another_dialog_is_refused(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(1), tag="stranger")
    scene.one(481)
    scene.ask("NOTIFY", "unknown", 1, "tag", document(1), ("Event", "dialog"), ("Subscription-State", "active"))
    scene.one(481)


def test_a_bad_document_is_refused(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, b"<no xml")
    scene.one(400)
    assert lamp.document.version == 0


def test_it_is_refreshed_in_its_dialog(scene):
    watching(scene)
    scene.advance(3561)
    refresh = scene.one("SUBSCRIBE")
    assert (refresh.to.tag, refresh.uri, refresh.get("Route")) == ("peer", "sip:6002@192.0.2.1:5060;fs=cm", ROUTE)
    scene.challenge(refresh, "n2", status=401)
    assert scene.one("SUBSCRIBE").cseq == refresh.cseq + 1


def test_a_notify_may_shorten_it(scene):
    lamp = watching(scene)
    notify(scene, lamp, 2, document(1), "active;expires=100")
    scene.one(200)
    scene.advance(61)
    scene.one("SUBSCRIBE")


def test_it_is_ended_with_a_last_notify(scene):
    lamp = watching(scene)
    lamp.unsubscribe()
    last = scene.one("SUBSCRIBE")
    assert last.get("Expires") == "0"
    scene.reply(last, 200, b"", ("Expires", "0"))
    notify(scene, lamp, 2, document(1, "terminated"), "terminated;reason=timeout")
    scene.one(200)
    assert (lamp.active, lamp.reason) == (False, "timeout")
    scene.advance(4000)
    assert scene.take() == []


def test_one_that_the_notifier_lost_is_made_anew(scene):
    lamp = watching(scene)
    scene.advance(3561)
    old = scene.one("SUBSCRIBE")
    scene.reply(old, 481)
    new = scene.one("SUBSCRIBE")
    assert new.call_id != old.call_id
    assert new.to.tag == ""
    scene.reply(new, 200, b"", ("Expires", "3600"))
    notify(scene, lamp, 1, document(0, "early"))
    assert lamp.document.dialogs[0].state == "early"


@pytest.mark.parametrize(
    ("reason", "again"), [("deactivated", True), ("timeout", True), ("rejected", False), ("noresource", False)]
)
def test_why_it_ended_says_whether_to_come_back(scene, reason, again):
    lamp = watching(scene)
    notify(scene, lamp, 2, b"", f"terminated;reason={reason}")
    answer, *others = scene.take()
    assert answer.status == 200
    assert [message.method for message in others] == ["SUBSCRIBE"] * again
    assert not lamp.active


@pytest.mark.parametrize("status", [403, 404, 489])
def test_a_refused_one_is_told(scene, status):
    lamp = scene.phone.watch("6002")
    scene.reply(scene.one("SUBSCRIBE"), status)
    assert (lamp.active, lamp.reason) == (False, str(status))


@pytest.mark.parametrize("status", [500, 503, 403])
def test_a_refresh_that_fails_otherwise_leaves_it_standing_and_is_tried_again(scene, status):
    """RFC 6665 §4.1.2.2: valid until the Expires that was granted last."""
    lamp = watching(scene)
    scene.advance(3561)
    refresh = scene.one("SUBSCRIBE")
    scene.reply(refresh, status)
    assert lamp.active
    scene.advance(31)
    again = scene.one("SUBSCRIBE")
    assert (again.call_id, again.to.tag) == (refresh.call_id, "peer")
    scene.reply(again, status)
    assert not lamp.active
    assert lamp.reason == str(status)


ENDING = {404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604}


@pytest.mark.parametrize("status", sorted(set(range(300, 700)) & set(REASON) - {401, 407}))
def test_which_refusals_of_a_refresh_end_it(scene, status):
    """RFC 6665 §4.1.2.2, RFC 5057 §5: these at once (a 481 with a subscription anew in its place), others not at the first."""
    lamp = watching(scene)
    scene.advance(3561)
    refresh = scene.one("SUBSCRIBE")
    scene.reply(refresh, status)
    if status == 481:
        assert scene.one("SUBSCRIBE").call_id != refresh.call_id
    else:
        assert lamp.active is (status not in ENDING)


def test_an_end_that_the_notifier_does_not_know_is_an_end(scene):
    lamp = watching(scene)
    lamp.unsubscribe()
    scene.reply(scene.one("SUBSCRIBE"), 481)
    assert not lamp.active
    scene.advance(60)
    assert scene.take() == []
