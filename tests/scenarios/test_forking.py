"""One request to several contacts: loops and spirals, Max-Breadth, challenges, late answers (RFC 3261 §16, RFC 5393)."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message, Request, Response
from tests.scenarios.scene import MakeScene, Scene, answered, called, hang_up, is_gone, reinvite, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone, text

OPEN = {"INVITE": "none", "MESSAGE": "none"}
"""What comes back to the server has no credentials for it."""


def sent_on(proxy: ScriptPhone, arrived: Message, uri: str) -> str:
    """The request as another proxy sends it on: one more Via, one hop less, and itself as the Contact (a Contact that is
    this server would be refused with 403 before anything else)."""
    assert isinstance(arrived, Request)
    lines = [f"{arrived.method} {uri} SIP/2.0", proxy.via(proxy.branch())]
    for line in arrived.lines:
        if line.startswith("Max-Forwards:"):
            line = f"Max-Forwards: {(arrived.integer('Max-Forwards') or 0) - 1}"
        if line.startswith("Contact:"):
            line = f"Contact: {proxy.contact}"
        if not line.startswith(("Content-Type:", "Content-Length:")):
            lines.append(line)
    return text(lines, arrived.body.decode())


def uncovered(caller: ScriptPhone, uri: str, *lines: str) -> ScriptCall:
    """An INVITE that nobody challenges."""
    a = ScriptCall(caller, uri)
    caller >> a.invite(a.sdp(), *lines)
    return a


# ---- loops and spirals


def test_a_message_that_comes_back_unchanged_has_looped_482(make_scene: MakeScene) -> None:
    """Session Manager forks it to two contacts, one of which is a proxy that sends it back."""
    scene = make_scene(challenge=OPEN)
    alice, desk, proxy = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = ScriptCall(alice, desk.aor)
    alice >> a.request("MESSAGE")
    desk >> ScriptCall(desk, alice.aor).answer(desk << "MESSAGE", 486)
    arrived = proxy << "MESSAGE"
    proxy >> sent_on(proxy, arrived, desk.aor)
    refusal = proxy << "482 MESSAGE"
    assert refusal.reason == "Loop Detected"  # type: ignore[attr-defined]  # a response
    desk.hears_nothing()
    proxy >> ScriptCall(proxy, alice.aor).answer(arrived, 482)
    alice << "486 MESSAGE"  # of equals the first


def test_a_message_that_comes_back_for_somebody_else_spirals(make_scene: MakeScene) -> None:
    scene = make_scene(challenge=OPEN)
    alice, desk, proxy = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    carol, car = scene.phone("6003", device=1), scene.phone("6003", device=2)
    a = ScriptCall(alice, desk.aor)
    alice >> a.request("MESSAGE")
    desk >> ScriptCall(desk, alice.aor).answer(desk << "MESSAGE", 486)
    arrived = proxy << "MESSAGE"
    proxy >> sent_on(proxy, arrived, carol.aor)
    car >> ScriptCall(car, alice.aor).answer(car << "MESSAGE", 486)
    carol >> ScriptCall(carol, alice.aor).answer(carol << "MESSAGE", 200)
    answer = proxy << "200 MESSAGE"
    assert len(answer.get_all("Via")) == 3  # the proxy's, ours, alice's
    proxy >> ScriptCall(proxy, alice.aor).answer(arrived, 200)
    alice << "200 MESSAGE"


@pytest.mark.parametrize("device", [0, 1], ids=["one contact", "two contacts"])
def test_a_call_that_comes_back_unchanged_has_looped_482(make_scene: MakeScene, device: int) -> None:
    """Communication Manager knows the INVITE that it made of the caller's (RFC 7332 §4), before Max-Forwards is spent."""
    scene = make_scene(challenge=OPEN)
    alice, proxy = scene.phone("6001"), scene.phone("6002", device=device)
    desk = scene.phone("6002", device=2) if device else None
    a = uncovered(alice, proxy.aor)
    arrived = proxy << "INVITE"
    proxy >> sent_on(proxy, arrived, proxy.aor)
    back = ScriptCall(proxy, alice.aor)
    refusal = proxy << "482 INVITE"
    proxy >> acknowledged(refusal, proxy.aor)
    proxy >> back.answer(arrived, 482)
    proxy << "ACK"
    if desk is not None:
        at_desk = desk << "INVITE"
        desk >> back.answer(at_desk, 486)
        desk << "ACK"
    alice >> a.ack(alice << "482 INVITE")


def acknowledged(refusal: Message, uri: str) -> str:
    """The ACK of a proxy for a failure that it got."""
    return text(
        [f"ACK {uri} SIP/2.0", f"Via: {refusal.get('Via')}", f"From: {refusal.get('From')}", f"To: {refusal.get('To')}",
         f"Call-ID: {refusal.call_id}", f"CSeq: {refusal.cseq} ACK", "Max-Forwards: 70"]
    )  # fmt: skip


def test_a_call_that_a_proxy_sends_on_to_somebody_else(make_scene: MakeScene) -> None:
    """A spiral: it passes this server twice and rings."""
    scene = make_scene(challenge=OPEN)
    alice, proxy, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    a = uncovered(alice, proxy.aor)
    arrived = proxy << "INVITE"
    proxy >> sent_on(proxy, arrived, carol.aor)
    at_carol = carol << "INVITE"
    assert (at_carol.integer("Max-Forwards") or 0) < (arrived.integer("Max-Forwards") or 0) - 1
    c = ScriptCall.of(carol, at_carol)
    carol >> c.answer(at_carol, 486)
    carol << "ACK"
    refusal = proxy << "486 INVITE"
    proxy >> acknowledged(refusal, carol.aor)
    proxy >> ScriptCall(proxy, alice.aor).answer(arrived, 486)
    proxy << "ACK"
    alice >> a.ack(alice << "486 INVITE")


# ---- Max-Breadth


@pytest.mark.parametrize(
    ("stated", "shares"),
    [("", ["20", "20", "20"]), ("Max-Breadth: 5", ["2", "2", "1"]), ("max-breadth: 600", ["20", "20", "20"])],
)
def test_max_breadth_is_split_over_the_contacts(make_scene: MakeScene, stated: str, shares: list[str]) -> None:
    scene = make_scene(challenge=OPEN)
    alice, phones = scene.phone("6001"), [scene.phone("6002", device=device) for device in (1, 2, 3)]
    a = uncovered(alice, phones[0].aor, *[stated] if stated else [])
    arrived = [phone << "INVITE" for phone in phones]
    assert sorted(message.get("Max-Breadth") or "" for message in arrived) == sorted(shares)
    for phone, message in zip(phones, arrived, strict=True):
        phone >> ScriptCall.of(phone, message).answer(message, 486)
        phone << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_max_breadth_that_is_too_small_440(make_scene: MakeScene) -> None:
    scene = make_scene(challenge=OPEN)
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = uncovered(alice, desk.aor, "Max-Breadth: 1")
    refusal = alice << "440 INVITE"
    assert refusal.reason == "Max-Breadth Exceeded"  # type: ignore[attr-defined]  # a response
    alice >> a.ack(refusal)
    desk.hears_nothing()
    mobile.hears_nothing()


def test_max_breadth_0_440_and_no_number_400(make_scene: MakeScene) -> None:
    scene = make_scene(challenge=OPEN)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for stated, status in (("0", 440), ("wide", 400)):
        a = uncovered(alice, bob.aor, f"Max-Breadth: {stated}")
        alice >> a.ack(alice << f"{status} INVITE")
    bob.hears_nothing()


@pytest.mark.parametrize(("stated", "arrives"), [("", "60"), ("Max-Breadth: 1", "1"), ("Max-Breadth: 7", "7")])
def test_max_breadth_goes_through_both_servers_undiminished(make_scene: MakeScene, stated: str, arrives: str) -> None:
    """No hop takes of it, Communication Manager neither (RFC 7332 §6)."""
    scene = make_scene(challenge=OPEN)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = uncovered(alice, bob.aor, *[stated] if stated else [])
    arrived = bob << "INVITE"
    assert arrived.get_all("Max-Breadth") == [arrives]
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_every_request_that_is_proxied_has_one(scene: Scene) -> None:
    """In dialog too (RFC 5393 §5.3.3), and requests of CM's own."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    reinvite(a, b, "sendonly", "recvonly")
    bob >> b.request("INFO", "", "Max-Breadth: 9")
    alice >> a.answer(alice << "INFO", 200)
    bob << "200 INFO"
    hang_up(a, b)
    ways = ("SM", "6001"), ("SM", "6002"), ("SM", "CM")
    proxied = [
        step.message
        for step in scene.network.ladder
        if isinstance(step.message, Request) and (step.source, step.destination) in ways and step.message.method != "NOTIFY"
    ]
    stated = {message.method: message.get_all("Max-Breadth") for message in proxied}
    assert stated == {"INVITE": ["60"], "ACK": ["60"], "INFO": ["9"], "BYE": ["60"]}


# ---- what the caller hears


def test_challenges_of_all_contacts_reach_the_caller(scene: Scene) -> None:
    """Of other realms, each in its own header (RFC 3261 §16.7 step 7)."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    first, second = 'Digest realm="one.example.net", nonce="1"', 'Digest realm="two.example.net", nonce="2"'
    desk >> ScriptCall.of(desk, at_desk).answer(at_desk, 407, "", f"Proxy-Authenticate: {first}")
    desk << "ACK"
    mobile >> ScriptCall.of(mobile, at_mobile).answer(at_mobile, 401, "", f"WWW-Authenticate: {second}")
    mobile << "ACK"
    challenge = alice << "407 INVITE"
    assert challenge.get_all("Proxy-Authenticate") == [first] and challenge.get_all("WWW-Authenticate") == [second]
    alice >> a.ack(challenge)


@pytest.mark.parametrize("first", [True, False], ids=["the first answers", "the second answers"])
def test_two_phones_ring_in_early_dialogs_of_their_own(scene: Scene, first: bool) -> None:
    """Each To tag of the callee's side is one at the caller (RFC 3261 §12.1): a phone takes the first description of a dialog
    as the answer and ignores others in it (§13.2.1)."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, 180)
    mobile >> c.answer(at_mobile, 183, c.sdp())
    ringing, progress = alice << "180 INVITE", alice << "183 INVITE"
    assert ringing.to.tag != progress.to.tag and ringing.to.tag and progress.to.tag
    rung = [step.to.tag for step in scene.linked("SM", "CM", "INVITE") if step.to.tag]
    assert len(set(rung)) == 2
    winner, loser, at_winner, at_loser = (b, c, at_desk, at_mobile) if first else (c, b, at_mobile, at_desk)
    winner.phone >> winner.answer(at_winner, 200, winner.sdp())
    answer = alice << "200 INVITE"
    assert answer.to.tag == (ringing if first else progress).to.tag
    a.learn(answer)
    alice >> a.ack(answer)
    winner.phone << "ACK"
    loser.phone >> loser.answer(loser.phone << "CANCEL", 200)
    loser.phone >> loser.answer(at_loser, 487)
    loser.phone << "ACK"
    reinvite(a, winner, "sendonly", "recvonly")
    reinvite(winner, a, "sendonly", "recvonly")
    other = a.remote_tag
    a.remote_tag = (progress if first else ringing).to.tag
    alice >> a.request("INFO")
    alice << "481 INFO"  # the loser's early dialog ended with the answer
    a.remote_tag = other
    hang_up(a, winner)


def test_a_branch_that_never_rang_answers(scene: Scene) -> None:
    """Its To tag is not the one of the phone that rang."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, 183, b.sdp())
    progress = alice << "183 INVITE"
    mobile >> c.answer(at_mobile, 200, c.sdp())
    answer = alice << "200 INVITE"
    assert answer.to.tag not in ("", progress.to.tag)
    a.learn(answer)
    alice >> a.ack(answer)
    mobile << "ACK"
    desk >> b.answer(desk << "CANCEL", 200)
    desk >> b.answer(at_desk, 487)
    desk << "ACK"
    reinvite(a, c, "sendonly", "recvonly")
    hang_up(c, a)


def test_a_callee_that_invents_early_dialogs_without_end(scene: Scene) -> None:
    """As many as a request may have branches are passed on, and all are forgotten with the call."""
    alice, desk = scene.phone("6001"), scene.phone("6002")
    a = called(alice, desk.aor)
    arrived = desk << "INVITE"
    b = ScriptCall.of(desk, arrived)
    for number in range(80):
        b.tag = f"branch{number}"
        desk >> b.answer(arrived, 180)
    tags = {message.to.tag for message in alice.inbox if isinstance(message, Response) and message.status == 180}
    alice.inbox.clear()
    assert len(tags) == 64
    answered(a, b, arrived)
    hang_up(a, b)


def test_late_answer_of_the_loser_is_acknowledged_each_time_and_ended_once(scene: Scene) -> None:
    """Its 200 crosses the CANCEL, and its ACK is lost: it repeats the 200 (RFC 3261 §13.2.2.4, RFC 6026)."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    mobile >> c.answer(at_mobile, 180)
    alice << "180 INVITE"
    answered(a, b, at_desk)
    mobile >> c.answer(mobile << "CANCEL", 200)
    mobile >> c.answer(at_mobile, 200, c.sdp())
    mobile << "ACK"
    is_gone(c)
    mobile >> c.answer(at_mobile, 200, c.sdp())
    mobile << "ACK"
    alice.hears_nothing()
    hang_up(a, b)


def test_a_contact_that_never_said_anything_is_cancelled_when_it_does(scene: Scene) -> None:
    """A CANCEL waits for a provisional response (RFC 3261 §9.1)."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    answered(a, b, at_desk)
    mobile.hears_nothing()
    mobile >> c.answer(at_mobile, 180)
    mobile >> c.answer(mobile << "CANCEL", 200)
    mobile >> c.answer(at_mobile, 487)
    mobile << "ACK"
    alice.hears_nothing()
    hang_up(a, b)


def test_both_contacts_ring_too_long(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    ringing = []
    for phone in (desk, mobile):
        arrived = phone << "INVITE"
        call = ScriptCall.of(phone, arrived)
        phone >> call.answer(arrived, 180)
        ringing.append((phone, call, arrived))
    assert (alice << "180 INVITE").to.tag != (alice << "180 INVITE").to.tag
    scene.advance(182)
    for phone, call, arrived in ringing:
        phone >> call.answer(phone << "CANCEL", 200)
        phone >> call.answer(arrived, 487)
        phone << "ACK"
    alice >> a.ack(alice << "408 INVITE")
