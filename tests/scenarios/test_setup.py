"""A call is set up and taken down: every way that RFC 3261 §13 to §16 knows."""

from __future__ import annotations

import pytest

from b2bua.sip import sdp
from b2bua.sip.message import Message, Request, Response
from tests.scenarios.scene import Scene, hang_up, invite, is_gone, register, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

TIMEOUT = 32.5


def called(caller: ScriptPhone, uri: str, *lines: str, body: str | None = None) -> ScriptCall:
    """An INVITE with credentials; what comes of it is the test's to see."""
    a = ScriptCall(caller, uri)
    caller >> a.invite(a.sdp() if body is None else body, *lines)
    challenge = caller << "407 INVITE"
    caller >> a.ack(challenge)
    caller >> a.with_credentials(challenge)
    return a


def answered(a: ScriptCall, b: ScriptCall, arrived: Message) -> None:
    """200 from the callee, to the caller, and both ACKs."""
    b.phone >> b.answer(arrived, 200, b.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"


# ---- answered


def test_call_that_is_answered_and_ended_by_the_caller(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(a, b)


def test_call_that_the_callee_ends(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(b, a)


def test_100_comes_first_and_is_never_forwarded(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    trying = alice << "100 INVITE"
    assert not trying.to.tag
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 100)
    assert not alice.inbox
    for status in (180, 181, 182, 183):
        bob >> b.answer(arrived, status, b.sdp() if status == 183 else "")
        progress = alice << f"{status} INVITE"
        assert progress.to.tag and progress.has("Contact") and progress.has("Record-Route")
        assert bool(progress.body) is (status == 183)
    answered(a, b, arrived)
    hang_up(a, b)


def test_what_the_callee_sees_of_the_caller(scene: Scene) -> None:
    """A B2BUA: own Call-ID, tag, CSeq and o= line; hops counted; the address of Session Manager and no other of ours.

    docker-freepbx 114, livekit/sip 515: no inner address in SDP or Contact.
    """
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, None, "Subject: hello", "X-Unknown: kept")
    assert isinstance(arrived, Request)
    assert arrived.uri == "sip:6002@192.0.2.12:5060"
    assert arrived.call_id != a.call_id and arrived.from_.tag != a.tag
    assert arrived.from_.uri == alice.aor and arrived.to.uri == bob.aor
    assert arrived.get("Max-Forwards") == "67"
    assert arrived.get("Subject") == "hello" and arrived.get("X-Unknown") == "kept"
    contact = arrived.contact()
    assert contact is not None and contact.uri.endswith("@192.0.2.1:5060;fs=cm")
    assert len(arrived.elements("Record-Route")) == 1 and not arrived.has("Route")
    assert sdp.parse_origin(arrived.body).address == "IN IP4 192.0.2.1"
    assert sdp.without_origin(arrived.body) == sdp.without_origin(a.sdp().encode())
    assert arrived.get("P-Asserted-Identity") == "<sip:6001@example.com>"
    assert len(arrived.elements("Via")) == 2
    answered(a, b, arrived)
    hang_up(a, b)


def test_asserted_identity_of_a_phone_is_worth_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, None, "P-Asserted-Identity: <sip:boss@example.com>", "P-Preferred-Identity: <sip:x@y>")
    assert arrived.get_all("P-Asserted-Identity") == ["<sip:6001@example.com>"]
    assert not arrived.has("P-Preferred-Identity")
    answered(a, b, arrived)
    hang_up(a, b)


def test_every_alias_of_the_domain_reaches_the_user(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for uri in ("sip:6002@192.0.2.1", "sip:6002@192.0.2.1:5060", "sip:6002@EXAMPLE.com", "sip:6002@example.com:5080"):
        a = called(alice, uri)
        arrived = bob << "INVITE"
        assert arrived.to.uri == uri
        b = ScriptCall.of(bob, arrived)
        answered(a, b, arrived)
        hang_up(a, b)


def test_offerless_invite_with_the_answer_in_the_ack(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    assert not arrived.body
    bob >> b.answer(arrived, 200, b.sdp())
    offer = alice << "200 INVITE a=sendrecv"
    bob.hears_nothing()
    a.learn(offer)
    alice >> a.ack(offer, a.sdp())
    bob << "ACK a=sendrecv"
    hang_up(a, b)


def test_offerless_invite_whose_ack_never_comes(scene: Scene) -> None:
    """After 64·T1 ACK and BYE to both."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    a.learn(alice << "200 INVITE")
    scene.wait(bob, TIMEOUT)
    bob << "ACK"
    is_gone(b)
    is_gone(a)


def test_offerless_invite_and_bye_instead_of_the_ack(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    a.learn(alice << "200 INVITE")
    alice >> a.request("BYE")
    alice << "200 BYE"
    bob << "ACK"
    is_gone(b)


def test_ack_that_is_lost_ends_in_bye(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    a.learn(alice << "200 INVITE")
    scene.wait(alice, TIMEOUT)
    assert len(alice.repeated) > 5
    is_gone(a)
    is_gone(b)


def test_callee_repeats_its_2xx_until_it_has_the_ack(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    answer = b.answer(arrived, 200, b.sdp())
    bob >> answer
    bob << "ACK"
    reply = alice << "200 INVITE"
    a.learn(reply)
    alice >> a.ack(reply)
    scene.advance(0.5)
    bob >> answer
    bob << "ACK"
    alice.hears_nothing()
    hang_up(a, b)


# ---- cancelled


@pytest.mark.parametrize("ringing", [True, False])
def test_cancel(scene: Scene, ringing: bool) -> None:
    """200 to it and 487 to the INVITE at once; the callee hears of it as soon as it has said anything."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    if ringing:
        bob >> b.answer(arrived, 180)
        alice << "180 INVITE"
    alice >> a.cancel('Reason: SIP;cause=200;text="Call completed elsewhere"')
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    if not ringing:
        bob.hears_nothing()
        bob >> b.answer(arrived, 180)
    cancel = bob << "CANCEL"
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert cancel.top_via.branch == arrived.top_via.branch
    bob >> b.answer(cancel, 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    alice.hears_nothing()


def test_cancel_that_crosses_with_the_answer(scene: Scene) -> None:
    """RFC 5407 §3.1.5: the caller has its 487; the callee's 2xx is acknowledged and given back with BYE."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    cancel = bob << "CANCEL"
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    is_gone(b)
    bob >> b.answer(cancel, 481)
    alice.hears_nothing()


def test_cancel_after_the_answer_changes_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    alice >> a.cancel()
    answer = alice << "200 INVITE"
    alice << "200 CANCEL"
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, b)


def test_bye_in_an_early_dialog(scene: Scene) -> None:
    """The caller may end an early dialog with BYE (RFC 3261 §15): 200, 487 to the INVITE, CANCEL to the callee."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    ringing = alice << "180 INVITE"
    first = a.again()
    a.learn(ringing)
    alice >> a.request("BYE")
    alice << "200 BYE"
    a._sent = first
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"


# ---- refused


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410, 480, 486, 488, 500, 600, 603])
def test_refused_by_the_callee(scene: Scene, status: int) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, status, "", "Reason: Q.850;cause=17")
    bob << "ACK"
    refusal = alice << f"{status} INVITE"
    assert refusal.get("Reason") == "Q.850;cause=17"
    alice >> a.ack(refusal)


def test_503_of_one_phone_is_500(scene: Scene) -> None:
    """Towards a phone 503 would mean that this server is dead."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 503)
    bob << "ACK"
    alice >> a.ack(alice << "500 INVITE")


def test_callee_that_does_not_answer_at_all(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, _ = invite(alice, bob)
    alice.inbox.clear()
    took = scene.wait(alice, 33)
    assert 32 <= took
    alice >> a.ack(alice << "408 INVITE")


def test_ringing_for_more_than_three_minutes(scene: Scene) -> None:
    """Timer C: CANCEL, and whatever comes of it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.wait(bob, 182)
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    alice >> a.ack(alice << "487 INVITE")


def test_each_provisional_response_starts_timer_c_anew(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    for _ in range(4):
        bob >> b.answer(arrived, 180)
        alice.inbox.clear()
        scene.advance(100)
    answered(a, b, arrived)
    hang_up(a, b)


def test_merged_request_482(scene: Scene) -> None:
    """The same request by another path: Call-ID, From tag and CSeq are those of one that is open (RFC 3261 §8.2.2.2)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    alice >> a.again().replace(";branch=z9hG4bK", ";branch=z9hG4bKother", 1)
    refusal = alice << "482 INVITE"
    alice >> a.ack(refusal).replace(";branch=z9hG4bK", ";branch=z9hG4bKother", 1)
    bob.hears_nothing()
    answered(a, b, arrived)
    hang_up(a, b)


def test_the_same_call_id_and_tag_with_a_higher_cseq_is_another_request(scene: Scene) -> None:
    """Off-hook and then the digits, as some phones do it: no merged request."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 484)
    bob << "ACK"
    alice >> a.ack(alice << "484 INVITE")
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_require_of_what_nobody_knows_420(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor, "Require: telepathy, 100rel")
    refusal = alice << "420 INVITE"
    assert "telepathy" in (refusal.get("Unsupported") or "")
    alice >> a.ack(refusal)
    bob.hears_nothing()


def test_proxy_require_420(scene: Scene) -> None:
    """Before any challenge: syntax, scheme, Max-Forwards, Proxy-Require, then authorization (RFC 3261 §16.3)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp(), "Proxy-Require: privacy")
    refusal = alice << "420 INVITE"
    assert refusal.get("Unsupported") == "privacy"
    alice >> a.ack(refusal)


@pytest.mark.parametrize(("hops", "status"), [(0, 483), (1, 483), (2, 483), (3, 0)])
def test_max_forwards(scene: Scene, hops: int, status: int) -> None:
    """Each hop takes one, Communication Manager too (RFC 7332): SM, CM and SM again stand before the callee."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    text = a.invite(a.sdp()).replace("Max-Forwards: 70", f"Max-Forwards: {hops}")
    alice >> text
    if hops:
        challenge = alice << "407 INVITE"
        alice >> a.ack(challenge)
        alice >> a.with_credentials(challenge).replace("Max-Forwards: 70", f"Max-Forwards: {hops}")
    if status:
        alice >> a.ack(alice << f"{status} INVITE")
        bob.hears_nothing()
        return
    arrived = bob << "INVITE"
    assert arrived.get("Max-Forwards") == "0"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_another_scheme_416(scene: Scene) -> None:
    alice = scene.phone("6001")
    a = ScriptCall(alice, "tel:+15551234")
    a.remote = "<tel:+15551234>"
    alice >> a.invite(a.sdp())
    alice >> a.ack(alice << "416 INVITE")


def test_invite_without_a_contact_400(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    lines = a.with_credentials(challenge).split("\r\n")
    alice >> "\r\n".join(line for line in lines if not line.startswith("Contact:"))
    alice >> a.ack(alice << "400 INVITE")
    bob.hears_nothing()


# ---- several contacts


def test_forked_to_two_contacts_and_one_answers(scene: Scene) -> None:
    """The other is cancelled; the caller hears both ring and one answer."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    assert at_desk.call_id == at_mobile.call_id and at_desk.top_via.branch != at_mobile.top_via.branch
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, 180)
    alice << "180 INVITE"
    mobile >> c.answer(at_mobile, 180)
    assert len(alice.repeated) == 1
    mobile >> c.answer(at_mobile, 200, c.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    mobile << "ACK"
    desk >> b.answer(desk << "CANCEL", 200)
    desk >> b.answer(at_desk, 487)
    desk << "ACK"
    hang_up(a, c)


def test_both_contacts_answer(scene: Scene) -> None:
    """The second 2xx is acknowledged and given back with BYE (RFC 3261 §13.2.2.4); the caller hears of one."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, 180)
    mobile >> c.answer(at_mobile, 180)
    mobile >> c.answer(at_mobile, 200, c.sdp())
    desk >> b.answer(at_desk, 200, b.sdp())
    alice << "180 INVITE"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    alice.hears_nothing()
    mobile << "ACK"
    desk >> b.answer(desk << "CANCEL", 481)
    desk << "ACK"
    is_gone(b)
    hang_up(a, c)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [(486, 480, 486), (404, 302, 302), (500, 486, 486), (486, 415, 415), (503, 500, 500), (503, 503, 500), (486, 603, 603)],
)
def test_best_response_of_all_contacts(scene: Scene, first: int, second: int, told: int) -> None:
    """6xx at once, else the lowest class, in it what tells the caller most (RFC 3261 §16.7)."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, first)
    desk << "ACK"
    alice.hears_nothing()
    mobile >> c.answer(at_mobile, second)
    mobile << "ACK"
    alice >> a.ack(alice << f"{told} INVITE")


def test_6xx_of_one_contact_ends_the_others(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    mobile >> c.answer(at_mobile, 180)
    alice << "180 INVITE"
    desk >> b.answer(at_desk, 603)
    desk << "ACK"
    mobile >> c.answer(mobile << "CANCEL", 200)
    mobile >> c.answer(at_mobile, 487)
    mobile << "ACK"
    alice >> a.ack(alice << "603 INVITE")


def test_one_contact_is_dead_and_the_other_answers(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    desk << "INVITE"
    at_mobile = mobile << "INVITE"
    c = ScriptCall.of(mobile, at_mobile)
    mobile >> c.answer(at_mobile, 180)
    alice << "180 INVITE"
    scene.advance(40)
    answered(a, c, at_mobile)
    hang_up(a, c)


def test_reregistration_keeps_one_binding(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert len(scene.server.location.bindings("6002")) == 1
    bob.name = "6002-again"
    listing = register(bob)
    assert len(listing.elements("Contact")) == 1
    a, b = talk(alice, bob)
    hang_up(a, b)


# ---- in the call


def test_byes_that_cross(scene: Scene) -> None:
    """200 or 481 to each; both legs are gone (RFC 5407 §3.2)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bye = bob << "BYE"
    bob >> b.request("BYE")
    bob << "200 BYE"
    bob >> b.answer(bye, 481)
    alice.hears_nothing()


def test_bye_that_is_repeated(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    bye = a.request("BYE")
    alice >> bye
    alice << "200 BYE"
    is_gone(b)
    alice >> bye
    assert len(alice.repeated) == 1
    bob.hears_nothing()


def test_bye_after_the_end_is_481(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(a, b)
    alice >> a.request("BYE")
    alice << "481 BYE"


def test_bye_to_a_phone_that_is_gone(scene: Scene) -> None:
    """It times out: the leg is over, the other side never hears of it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bob << "BYE"
    scene.advance(TIMEOUT)
    assert len(bob.repeated) == 10
    alice.hears_nothing()


def test_info_is_relayed_both_ways_with_its_body(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    for call, far in ((a, b), (b, a)):
        call.phone >> call.request("INFO", "Signal=5\r\n", "Info-Package: dtmf").replace("application/sdp", "application/dtmf-relay")
        info = far.phone << "INFO"
        assert info.get("Content-Type") == "application/dtmf-relay" and info.body == b"Signal=5\r\n"
        assert info.get("Info-Package") == "dtmf"
        far.phone >> far.answer(info, 469)
        call.phone << "469 INFO"
    hang_up(a, b)


def test_info_that_nobody_answers(scene: Scene) -> None:
    """No 408 to a request that is no INVITE (RFC 4320 §4.2): its sender's own timer has fired; the call goes on."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("INFO")
    bob << "INFO"
    scene.advance(TIMEOUT)
    alice.hears_nothing()
    hang_up(a, b)


def test_unknown_method_405(scene: Scene) -> None:
    """The proxy forwards it, the user agent behind it says what it allows."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("FROBNICATE")
    challenge = alice << "407 FROBNICATE"
    alice >> a.request("FROBNICATE", "", alice.credentials(challenge, "FROBNICATE", a.target))
    refusal = alice << "405 FROBNICATE"
    assert "INVITE" in (refusal.get("Allow") or "")
    bob.hears_nothing()
    hang_up(a, b)


def test_options_in_the_call(scene: Scene) -> None:
    """A phone's own session check: answered by Communication Manager."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("OPTIONS")
    challenge = alice << "407 OPTIONS"
    alice >> a.request("OPTIONS", "", alice.credentials(challenge, "OPTIONS", a.target))
    alice << "200 OPTIONS"
    bob.hears_nothing()
    hang_up(a, b)


def test_require_in_a_reinvite_420(scene: Scene) -> None:
    """An extension that Communication Manager does not keep its word on is refused, in dialog as before it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly", "Require: telepathy")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    refusal = alice << "420 INVITE"
    assert refusal.get("Unsupported") == "telepathy"
    alice >> a.ack(refusal)
    bob.hears_nothing()
    hang_up(a, b)


def test_message_out_of_dialog_goes_to_the_user(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = ScriptCall(alice, bob.aor)
    alice >> call.request("MESSAGE", "hello")
    challenge = alice << "407 MESSAGE"
    alice >> call.request("MESSAGE", "hello", alice.credentials(challenge, "MESSAGE", bob.aor))
    message = bob << "MESSAGE hello"
    bob >> ScriptCall(bob, alice.aor).answer(message, 200)
    alice << "200 MESSAGE"


def test_stray_responses_are_dropped(scene: Scene) -> None:
    """RFC 6026 §8.9: a proxy drops a 2xx that matches no transaction."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    stray = Response(200, "OK", ["Via", "From", "To", "Call-ID", "CSeq"], [
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnever", f"From: <{alice.aor}>;tag=x", f"To: <{bob.aor}>;tag=y",
        "Call-ID: nobody", "CSeq: 1 INVITE",
    ])  # fmt: skip
    bob >> str(stray)
    assert scene.count("messages_dropped", "stray response") == 1
    hang_up(a, b)


@pytest.mark.parametrize("garbage", ["hello", "INVITE sip:x SIP/2.0\r\n\r\n", "\0" * 100, "SIP/2.0 200 OK\r\nVia: x\r\n\r\n"])
def test_garbage_does_no_harm(scene: Scene, garbage: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> garbage
    hang_up(a, b)
