"""Lamps: what Session Manager notifies, when, and who sees what of it."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.events import refused
from tests.scenarios.options import ALLOWED
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    hold,
    invite,
    renderings,
    resume,
    subscribe_text,
    talk,
    watch,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone


def states(phone: ScriptPhone) -> list[str]:
    """The state of the first dialog, document by document."""
    return [document.dialogs[0].state for document in phone.documents]


def subscription_state(message: Message) -> str:
    return (message.get("Subscription-State") or "").partition(";")[0]


# ---- documents


def test_idle_document_has_one_terminated_dialog(scene: Scene) -> None:
    """A phone that waits for a `<dialog>` would keep its lamp lit."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, bob)
    (notify,) = alice.notified
    assert notify.get("Event") == "dialog"
    assert notify.get("Content-Type") == "application/dialog-info+xml"
    assert (notify.get("Subscription-State") or "").startswith("active;expires=3")
    text = notify.body.decode()
    assert 'version="0" state="full" entity="sip:6002@example.com"' in text
    assert '<dialog id="idle"><state>terminated</state></dialog>' in text


def test_states_of_a_call_as_both_parties_see_them(scene: Scene) -> None:
    """trying, early, confirmed, terminated, idle; a second apart, so that no state is folded."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    watch(bob, bob)
    scene.advance(1.1)
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 100)
    scene.advance(1.1)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.advance(1.1)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    scene.advance(1.1)
    hang_up(a, b)
    scene.advance(2.2)
    for phone, direction in ((alice, "initiator"), (bob, "recipient")):
        assert states(phone) == ["terminated", "trying", "early", "confirmed", "terminated", "terminated"]
        assert {document.dialogs[0].direction for document in phone.documents[1:5]} == {direction}
        assert phone.documents[-1].dialogs[0].id == "idle"
        assert [document.version for document in phone.documents] == list(range(6))
        assert {document.state for document in phone.documents} == {"full"}


def test_document_of_the_owner_tells_the_real_dialog(scene: Scene) -> None:
    """Call-ID and tags as the phone has them (pickup needs them), the target in every document, local before remote."""
    a, b = watched_call(scene)
    for call in (a, b):
        (dialog,) = call.phone.lamp.dialogs
        assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == (call.call_id, call.tag, call.remote_tag)
    dialog = a.phone.lamp.dialogs[0]
    assert (dialog.local.identity, dialog.remote.identity) == ("sip:6001@example.com", "sip:6002@example.com")
    assert dialog.local.target == a.phone.contact.strip("<>")
    assert (dialog.local.rendering, dialog.remote.rendering) == ("yes", "yes")
    text = a.phone.notified[-1].body.decode()
    assert text.index("<local>") < text.index("<remote>")
    assert text.count("<target uri=") == 2
    hold(a, b)
    scene.advance(1.1)
    text = a.phone.notified[-1].body.decode()
    assert text.count("<target uri=") == 2
    assert text.count('<param pname="+sip.rendering" pval="no"/>') == 1
    assert 'pval="yes"' not in text
    resume(a, b)
    hang_up(a, b)


def test_others_see_state_rendering_and_identities_only(scene: Scene) -> None:
    """Nothing to reach or replace the dialog with: no call-id, no tags, the AoR as target (RFC 4235 §3.7.2)."""
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    watch(carol, a.phone)
    scene.advance(1.1)
    hold(a, b)
    assert renderings(carol) == renderings(a.phone) == ("no", "")
    (dialog,) = carol.lamp.dialogs
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("", "", "")
    assert dialog.local.target == "sip:6001@example.com"
    assert (dialog.local.identity, dialog.remote.identity) == ("sip:6001@example.com", "sip:6002@example.com")
    body = carol.notified[-1].body
    for secret in (a.call_id, a.tag, a.remote_tag, b.call_id, "192.0.2."):
        assert secret.encode() not in body
    resume(a, b)
    hang_up(a, b)


def test_the_pickup_group_sees_everything(make_scene: MakeScene) -> None:
    """As long as both have the same word in their settings: a key that picks up needs Call-ID and tags (RFC 3891)."""
    scene = make_scene(link="memory")
    a, b = watched_call(scene)
    key = scene.phone("6003")
    users = scene.server.b2bua.environment.users
    users.put("6001", "pickup_group", "sales")
    watch(key, a.phone)
    assert key.lamp.dialogs[0].call_id == ""
    users.put("6003", "pickup_group", "sales")
    scene.advance(1.1)
    hold(a, b)
    (dialog,) = key.lamp.dialogs
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == (a.call_id, a.tag, a.remote_tag)
    scene.server.events.view.follow("self")
    assert refused(key, "dialog", b.phone.aor) == refused(key, "message-summary", a.phone.aor) == 403
    users.put("6003", "pickup_group", "")
    scene.advance(1.1)
    resume(a, b)
    assert key.lamp.dialogs[0].call_id == ""
    users.put("6001", "pickup_group", "")
    hang_up(a, b)


def test_two_calls_of_one_user_are_two_dialogs(scene: Scene) -> None:
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    watch(alice, alice)
    a, b = talk(alice, bob)
    hold(a, b)
    second, c = talk(alice, carol)
    scene.advance(2.2)
    dialogs = {dialog.call_id: dialog for dialog in alice.lamp.dialogs}
    assert set(dialogs) == {a.call_id, second.call_id}
    assert len({dialog.id for dialog in alice.lamp.dialogs}) == 2
    assert dialogs[a.call_id].local.rendering == "no"
    assert dialogs[second.call_id].local.rendering == "yes"
    hang_up(second, c)
    scene.advance(2.2)
    assert [dialog.call_id for dialog in alice.lamp.dialogs] == [a.call_id]
    resume(a, b)
    hang_up(a, b)


def test_calls_of_a_user_to_itself(scene: Scene) -> None:
    """Two devices of one user: one AoR, two publications, two dialogs."""
    alice, desk = scene.phone("6001", registered=False), scene.phone("6001", device=1)
    watch(alice, alice)
    a, b = talk(alice, desk)
    scene.advance(2.2)
    assert sorted(dialog.direction for dialog in alice.lamp.dialogs) == ["initiator", "recipient"]
    hang_up(a, b)
    scene.advance(2.2)
    assert alice.lamp.dialogs[0].id == "idle"


# ---- when they come


def test_first_notify_after_quiet_leaves_at_once_and_the_rest_of_the_second_is_folded(scene: Scene) -> None:
    a, b = watched_call(scene)
    before = len(a.phone.notified)
    hold(a, b)
    assert len(a.phone.notified) == before + 1
    resume(a, b)
    hold(a, b)
    resume(a, b)
    hold(a, b)
    assert len(a.phone.notified) == before + 1
    scene.advance(0.9)
    assert len(a.phone.notified) == before + 1
    scene.advance(0.2)
    assert len(a.phone.notified) == before + 2
    assert renderings(a.phone) == ("no", "")
    assert [document.version for document in a.phone.documents] == list(range(before + 2))
    resume(a, b)
    hang_up(a, b)


def test_the_notify_after_each_subscribe_never_waits(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = watch(alice, bob)
    for _ in range(3):
        alice >> subscribe_text(alice, bob.aor, dialog=call)
        challenge = alice << "401 SUBSCRIBE"
        before = len(alice.notified)
        alice >> subscribe_text(alice, bob.aor, alice.credentials(challenge, "SUBSCRIBE", bob.aor), dialog=call)
        alice << "200 SUBSCRIBE"
        assert len(alice.notified) == before + 1
    cseqs = [notify.cseq for notify in alice.notified]
    assert cseqs == sorted(set(cseqs))
    assert [document.version for document in alice.documents] == [0, 1, 2, 3]


def test_expires_0_ends_it_with_a_last_notify_at_once(scene: Scene) -> None:
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    call = watch(carol, a.phone)
    carol >> subscribe_text(carol, a.phone.aor, dialog=call, expires=0)
    challenge = carol << "401 SUBSCRIBE"
    credentials = carol.credentials(challenge, "SUBSCRIBE", a.phone.aor)
    carol >> subscribe_text(carol, a.phone.aor, credentials, dialog=call, expires=0)
    assert (carol << "200 SUBSCRIBE").get("Expires") == "0"
    assert carol.notified[-1].get("Subscription-State") == "terminated;reason=timeout"
    count = len(carol.notified)
    hold(a, b)
    scene.advance(2)
    assert len(carol.notified) == count
    resume(a, b)
    hang_up(a, b)


def test_fetch(scene: Scene) -> None:
    """SUBSCRIBE with Expires 0 out of dialog: the state once, nothing after (RFC 6665 §4.4.3)."""
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    watch(carol, a.phone, expires=0)
    (notify,) = carol.notified
    assert subscription_state(notify) == "terminated"
    assert carol.lamp.dialogs[0].state == "confirmed"
    hang_up(a, b)


def test_subscription_that_is_not_refreshed_ends(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, bob, expires=60)
    scene.advance(61)
    assert alice.notified[-1].get("Subscription-State") == "terminated;reason=timeout"
    assert scene.server.notifier.count()["dialog"] == 0


def test_what_a_subscribe_may_ask_for(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")

    def refused(status: str, *lines: str, aor: str = bob.aor) -> Message:
        call = ScriptCall(alice, aor)
        alice >> call.request("SUBSCRIBE", "", *lines)
        challenge = alice << f"{401 if 'example.com' in aor else 407} SUBSCRIBE"
        alice >> call.request("SUBSCRIBE", "", *lines, alice.credentials(challenge, "SUBSCRIBE", aor))
        return alice << f"{status} SUBSCRIBE"

    assert refused("489", "Event: conference").get("Allow-Events") == ALLOWED
    assert refused("423", "Event: dialog", "Expires: 10").get("Min-Expires") == "60"
    refused("406", "Event: dialog", "Accept: application/pidf+xml")
    refused("404", "Event: dialog", aor="sip:6099@example.com")
    refused("403", "Event: dialog", aor="sip:6002@example.net")
    assert not alice.notified


# ---- NOTIFYs that go wrong


def test_one_notify_is_in_flight(scene: Scene) -> None:
    """While it is unanswered, states fold; the newest goes when its answer came."""
    a, b = watched_call(scene)
    phone = a.phone
    phone.notify_status = None
    hold(a, b)
    count = len(phone.notified)
    scene.advance(3)
    resume(a, b)
    scene.advance(3)
    assert len(phone.notified) == count
    phone.notify_status = 200
    scene.advance(4)
    assert len(phone.notified) == count + 1
    assert renderings(phone) == ("yes", "yes")
    hang_up(a, b)


@pytest.mark.bug("OpenSIPS 380")
def test_opensips_380_a_lost_notify_does_not_kill_a_lamp(scene: Scene) -> None:
    """Not even when all its copies are lost: one time-out, then the newest state is sent."""
    a, b = watched_call(scene)
    phone = a.phone
    lost = f"CSeq: {phone.notified[-1].cseq + 1} NOTIFY".encode()
    scene.network.rule = lambda index, data: () if data.startswith(b"NOTIFY") and lost in data else (0.0,)
    count = len(phone.notified)
    hold(a, b)
    scene.advance(31)
    assert len(phone.notified) == count
    scene.advance(2)
    assert len(phone.notified) == count + 1
    assert renderings(phone) == ("no", "")
    scene.advance(1.1)
    resume(a, b)
    scene.advance(1.1)
    assert renderings(phone) == ("yes", "yes")
    hang_up(a, b)


def test_two_time_outs_end_a_subscription(scene: Scene) -> None:
    a, b = watched_call(scene)
    a.phone.notify_status = None
    hold(a, b)
    scene.advance(70)
    assert scene.server.notifier.count()["dialog"] == 1
    count = len(a.phone.notified)
    a.phone.notify_status = 200
    resume(a, b)
    scene.advance(2)
    assert len(a.phone.notified) == count
    hang_up(a, b)


@pytest.mark.parametrize("status", [404, 481, 489, 604])
def test_answers_that_end_a_subscription(scene: Scene, status: int) -> None:
    a, b = watched_call(scene)
    a.phone.notify_status = status
    hold(a, b)
    scene.advance(1.1)
    assert scene.server.notifier.count()["dialog"] == 1
    hang_up(a, b)


@pytest.mark.parametrize("status", [400, 500, 503])
def test_answers_that_do_not(scene: Scene, status: int) -> None:
    a, b = watched_call(scene)
    a.phone.notify_status = status
    hold(a, b)
    scene.advance(1.1)
    a.phone.notify_status = 200
    resume(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)
