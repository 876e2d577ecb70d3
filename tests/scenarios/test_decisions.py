"""Why each message was sent, as the trace tells it: a test for each kind of decision, on the whole server and the fake clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.session_manager.bans import BanRule
from b2bua.sip.uri import parse_uri
from b2bua.trace.records import Reader
from b2bua.trace.rows import Rows
from b2bua.trace.stops import stops
from tests.scenarios.forwarded_call import answers, at, has_set
from tests.scenarios.options import Options
from tests.scenarios.reliable_call import early as early_call
from tests.scenarios.reliable_call import prack, reliably
from tests.scenarios.scene import (
    Scene,
    called,
    hang_up,
    hold,
    invite,
    pending_hold,
    resume,
    send_offer,
    talk,
    watch,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.test_streams import cut
from tests.scenarios.test_trunks import CARRIER, OFFICE, call_in, call_out, carrier
from tests.scenarios.timed_call import LIMITS, timed_call
from tests.scenarios.virtual_network import Rule, perfect

Record = dict[str, Any]


def made(rule: Rule = perfect, **options: Any) -> Scene:
    return Scene(Options(trace=5_000, **options), rule)


def records(scene: Scene) -> list[Record]:
    recorder = scene.server.recorder
    return [record for record in Reader(recorder).read(recorder.entries()) if record is not None]


def whys(scene: Scene, start: str, source: str = "", destination: str = "") -> list[str]:
    """The decisions of all messages whose first line begins so, between these parties, oldest first."""
    return [text for record in found(scene, start, source, destination) for text in record.get("decisions", ())]


def found(scene: Scene, start: str, source: str, destination: str) -> Iterator[Record]:
    for record in records(scene):
        ends = (not source or record["source"] == source) and (not destination or record["destination"] == destination)
        if ends and record["message"].startswith(start):
            yield record


def stopped(scene: Scene) -> list[str]:
    """What `b2bua explain` says of the scene's last call."""
    rows = Rows()
    for record in records(scene):
        rows.take(record)
    calls = [row.record["call"] for row in rows.all if row.record["call"]]
    return list(stops([row for row in rows.all if row.record["call"] == calls[-1]]))


# ---- who may go on


def test_challenge_digest_sequence_and_location() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    assert whys(scene, "SIP/2.0 407", "SM", "6001") == ["challenge: no credentials for this realm that could be used"]
    assert whys(scene, "INVITE", "SM", "CM") == [
        "digest: right, of 6001", "sequence: cm is next (orig, the sequence of 6001)",
    ]  # fmt: skip
    assert whys(scene, "INVITE", "CM", "SM") == [
        "B2BUA: the INVITE of sip:6001@example.com, passed on to the other leg under its own Call-ID, tags and CSeq",
    ]  # fmt: skip
    assert whys(scene, "INVITE", "SM", "6002") == [
        f"location: 6002 is registered at {parse_uri(bob.contact[1:-1])}",
    ]  # fmt: skip
    assert whys(scene, "SIP/2.0 200", "CM", "SM")[-1] == "B2BUA: what the other leg was answered, passed back"
    hang_up(a, b)
    assert whys(scene, "BYE", "CM", "SM") == ["B2BUA: the call is over: the other party has hung up"]
    assert whys(scene, "BYE", "SM", "CM")[-1].startswith("routing: in a dialog, by the keyed token")


def test_wrong_password_and_a_nonce_that_cannot_be_used() -> None:
    scene = made(reinvite="always")
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = ScriptCall(alice, bob.aor)
    alice >> call.invite(call.sdp())
    first = alice << "407 INVITE"
    alice >> call.ack(first)
    alice >> call.with_credentials(first, secret="wrong")
    second = alice << "407 INVITE"
    alice >> call.ack(second)
    assert whys(scene, "SIP/2.0 407", "SM", "6001")[-1] == "challenge: the credentials, said to be of 6001, are wrong"
    scene.advance(400)
    alice >> call.with_credentials(second)
    alice >> call.ack(alice << "407 INVITE")
    assert whys(scene, "SIP/2.0 407", "SM", "6001")[-1] == (
        "challenge: the digest of 6001 is right, its nonce cannot be used (stale)"
    )
    assert "secret-6001" not in str(records(scene))


def test_registrar_and_notifier() -> None:
    scene = made()
    alice = scene.phone("6001")
    watch(alice, alice)
    assert whys(scene, "SIP/2.0 200", "SM", "6001")[:2] == [
        "digest: right, of 6001", "registrar: 6001 has 1 bindings now (RFC 3261 §10.3)",
    ]  # fmt: skip
    assert "notifier: 6001 may watch sip:6001@example.com" in " ".join(whys(scene, "SIP/2.0 200", "SM", "6001"))
    assert whys(scene, "NOTIFY", "SM", "6001")[0].startswith("notifier: 6001 watches sip:6001@example.com and has just asked")


def test_a_hold_its_feature_its_state_and_who_is_told() -> None:
    scene = made()
    a, b = watched_call(scene)
    hold(a, b)
    acts = "feature hold: sip:6001@example.com asks for a hold, which shows on its lamp before the other party hears of it"
    assert acts in whys(scene, "INVITE", "CM", "SM")
    assert whys(scene, "PUBLISH", "CM", "SM")[-2:] == [
        f"state: what sip:{user}@example.com does in this call now, published for whoever watches it" for user in ("6001", "6002")
    ]
    answered = whys(scene, "SIP/2.0 200", "SM", "CM")
    assert answered[-2:] == [
        "event state: stored, whoever watches it is told (RFC 3903 §6)",
        "proxy: passed back along the Vias at once (RFC 3261 §16.7 step 5)",
    ]  # fmt: skip
    assert whys(scene, "NOTIFY", "SM", "6001")[-1] == (
        "event state: 6001 watches sip:6001@example.com, whose state has changed"
    )
    resume(a, b)
    hang_up(a, b)
    scene.advance(2)
    taken_back = "is in this call no more, its publication is taken back (RFC 3903 §4.5)"
    assert whys(scene, "PUBLISH", "CM", "SM")[-1].endswith(taken_back)


# ---- routing


def test_the_rule_that_leads_out_and_the_trunk_that_is_trusted() -> None:
    scene = made(entities=(CARRIER, OFFICE))
    trunk = carrier(scene)
    a, b = call_out(scene, trunk)
    hang_up(a, b)
    rule = "routing rule numbers of entities: out by trunk carrier, there sip:0170@192.0.2.80"
    assert rule in whys(scene, "INVITE", "SM")
    a, b = call_in(trunk, scene.phone("6002"))
    assert whys(scene, "INVITE", "SM", "CM")[-2] == (
        "trusted peer: of trunk carrier, known by its address, which is not challenged"
    )
    hang_up(a, b)


def test_refusals_say_what_refused() -> None:
    scene = made()
    alice = scene.phone("6001")
    for uri, status, why in (
        ("sip:6003@example.com", 480, "location: 6003 is registered nowhere that can be reached"),
        ("sip:7777@example.com", 404, "location: 7777 is no user of the domain"),
        ("sip:x@example.net", 403, "routing: sip:x@example.net is neither of this domain nor served by a trunk"),
    ):
        call = called(alice, uri)
        alice >> call.ack(alice << f"{status} INVITE")
        assert why in whys(scene, f"SIP/2.0 {status}", "SM"), status
        assert stopped(scene)[0].endswith(f"; because {why}"), stopped(scene)


def test_a_banned_source_is_dropped_and_so_it_says() -> None:
    scene = made(bans=BanRule(1, 60, 300))
    alice = scene.phone("6001", registered=False)
    call = ScriptCall(alice, "sip:6002@example.com")
    alice >> call.invite(call.sdp())
    challenge = alice << "407 INVITE"
    alice >> call.ack(challenge)
    alice >> call.with_credentials(challenge, secret="wrong")
    alice >> call.ack(alice << "407 INVITE")
    alice >> call.invite(call.sdp())
    alice.hears_nothing()
    assert whys(scene, "INVITE")[-1] == "dropped: source banned"


# ---- timers


def test_timers_a_and_b() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    invite(alice, bob)
    scene.advance(33)
    again = [text for text in whys(scene, "INVITE", "SM", "6002") if text.startswith("timer A")]
    assert again == [f"timer A: no answer within {0.5 * 2**n:g} s, sent again (RFC 3261 §17.1)" for n in range(6)]
    alice.inbox.clear()
    assert "timer B: no final answer within 64·T1 (32 s) (RFC 3261 §17.1)" in whys(scene, "SIP/2.0 408", "SM", "CM")
    [sentence] = stopped(scene)
    assert "SIP/2.0 408" in sentence and "because timer B: no final answer within 64·T1" in sentence
    assert " was sent 6 times more and 6002 said nothing to it" in sentence


def test_a_retransmission_that_a_fault_delays_keeps_its_reason() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    invite(alice, bob)
    scene.server.fault("delay user=6002 direction=out method=INVITE seconds=5")
    scene.advance(0.6)
    call = ScriptCall(bob, alice.aor)
    bob >> call.invite(call.sdp())
    challenge = bob << "407 INVITE"
    bob >> call.ack(challenge)
    bob >> call.again()
    scene.advance(6)
    [late] = [record for record in found(scene, "INVITE", "SM", "6002") if "fault" in record]
    assert late["decisions"] == ["timer A: no answer within 0.5 s, sent again (RFC 3261 §17.1)"]
    assert not any(text.startswith("timer A") for text in whys(scene, "SIP/2.0 407", "SM"))


def test_timers_e_and_f() -> None:
    scene = made()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    a.phone >> a.request("INFO")
    b.phone << "INFO"
    scene.advance(33)
    again = [text for text in whys(scene, "INFO", "SM", "6002") if text.startswith("timer E")]
    assert again[0] == "timer E: no answer within 0.5 s, sent again (RFC 3261 §17.1)" and len(again) >= 9
    b.phone.inbox.clear()
    a.phone.inbox.clear()


def test_timers_g_and_h() -> None:
    scene = made()
    alice = scene.phone("6001")
    call = ScriptCall(alice, "sip:6002@example.com")
    alice >> call.invite(call.sdp())
    scene.advance(33)
    alice.inbox.clear()
    told = whys(scene, "SIP/2.0 407", "SM", "6001")
    assert "timer G: no ACK within 0.5 s, sent again (RFC 3261 §17.2.1)" in told
    assert "timer H: no ACK within 64·T1 (32 s), given up (RFC 3261 §17.2.1)" in told


def test_an_answer_that_is_repeated_because_it_was_asked_for() -> None:
    scene = made()
    alice = scene.phone("6001")
    call = ScriptCall(alice, "sip:6002@example.com")
    alice >> call.invite(call.sdp())
    challenge = alice << "407 INVITE"
    alice >> call.again()
    alice >> call.ack(challenge)
    assert whys(scene, "SIP/2.0 407", "SM", "6001")[-1].startswith("transaction: the request came again")


def test_timer_c() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.wait(bob, 182)
    bob >> b.answer(bob << "CANCEL", 200)
    assert whys(scene, "CANCEL", "SM", "6002") == ["timer C: rang for longer than a proxy waits (RFC 3261 §16.8)"]
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    alice >> a.ack(alice << "408 INVITE")
    assert "because timer C: rang for longer than a proxy waits" in stopped(scene)[0]


def test_2xx_without_ack() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    a.learn(alice << "200 INVITE")
    scene.advance(33)
    alice.inbox.clear()
    again = [text for text in whys(scene, "SIP/2.0 200", "CM", "SM") if text.startswith("timer: no ACK within")]
    assert again[0] == "timer: no ACK within 0.5 s, the 2xx is sent again (RFC 3261 §13.3.1.4)"
    ended = "timer: no ACK of the 2xx within 64·T1 (32 s): BYE to both (RFC 3261 §13.3.1.4)"
    assert ended in whys(scene, "BYE", "CM", "SM")
    assert any("its 2xx has no ACK from 6001" in text and ended in text for text in stopped(scene)), stopped(scene)


def test_reliable_responses_are_repeated() -> None:
    scene = made()
    a, b, arrived = early_call(scene)
    reliably(b, arrived, 183, 700, b.sdp())
    progress = a.phone << "183 INVITE"
    scene.advance(0.6)
    assert "timer 100rel: no PRACK yet, sent again (RFC 3262 §3)" in whys(scene, "SIP/2.0 183", "CM", "SM")
    prack(a, progress)


def test_session_timer() -> None:
    scene = made(limits=LIMITS)
    timed_call(scene)
    scene.advance(45.2)
    assert whys(scene, "INVITE", "CM", "SM")[-1].startswith("session timer: half of 90 s is over, the session is refreshed")
    scene.advance(60)
    assert whys(scene, "BYE", "CM", "SM")[0].startswith("session timer: 90 s are over")


def test_the_longest_call() -> None:
    scene = made(limits=CallLimits(call_length_max=60))
    talk(scene.phone("6001"), scene.phone("6002"))
    scene.advance(61)
    assert whys(scene, "BYE", "CM", "SM")[0] == "timer call_length_max: 60 s are over, whatever the call is doing"


# ---- features and glare


def test_a_feature_that_gives_the_call_to_somebody_else() -> None:
    scene = made(features=("forwarding", "hold", "lamps"))
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    has_set(scene, "6002", forward_always="6003")
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    c, arrived = at(carol)
    goes_on = "feature forwarding: the call goes on to sip:6003@example.com"
    assert whys(scene, "SIP/2.0 181", "CM", "SM")[0].startswith(goes_on)
    assert whys(scene, "INVITE", "CM", "SM")[-2].startswith(goes_on)
    answers(a, c, arrived)
    hang_up(a, c)


def test_a_feature_that_refuses() -> None:
    scene = made(features=("do_not_disturb", "hold", "lamps"))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    has_set(scene, "6002", do_not_disturb="on")
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "486 INVITE")
    assert "feature do_not_disturb: refuses, 486 " in " ".join(whys(scene, "SIP/2.0 486", "CM", "SM"))
    assert "because feature do_not_disturb: refuses, 486" in stopped(scene)[0]
    bob.hears_nothing()


def test_glare() -> None:
    scene = made()
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    send_offer(b, b.sdp("sendonly"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    assert whys(scene, "SIP/2.0 491", "CM", "SM") == [
        "glare: the other party's re-INVITE is under way, and one goes at a time in a call",
    ]  # fmt: skip
    b.phone >> b.answer(arrived, 491)
    b.phone << "ACK"
    scene.wait(b.phone, 4.1)
    assert any(text.startswith("glare: the other party answered 491") for text in whys(scene, "INVITE", "CM", "SM"))


def test_a_cancelled_call() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    alice >> a.ack(alice << "487 INVITE")
    assert whys(scene, "CANCEL", "SM", "6002") == ["cancelled: who asked has given up (RFC 3261 §16.10)"]
    assert "6001 gave up with the CANCEL #" in stopped(scene)[0]


# ---- where a call stopped


@pytest.mark.parametrize("status", [403, 486, 488, 603])
def test_a_refusal_of_the_phone_is_its_own(status: int) -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, status)
    bob << "ACK"
    alice >> a.ack(alice << f"{status} INVITE")
    [sentence] = stopped(scene)
    assert f"SIP/2.0 {status} " in sentence and f"; 6002 said {status} first, in #" in sentence
    assert "because" not in sentence, "the phone's reasons are not known"


@pytest.mark.parametrize(("status", "end"), [(481, "CM ended the call with the BYE #"), (488, "the session stays as it was")])
def test_a_hold_that_is_refused(status: int, end: str) -> None:
    scene = made()
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, status)
    b.phone << "ACK"
    scene.advance(1)
    a.phone >> a.ack(next(one for one in a.phone.inbox if one.cseq_method == "INVITE"))
    [sentence] = [text for text in stopped(scene) if "re-INVITE" in text]
    assert f"of 6001, SIP/2.0 {status}" in sentence and f"6002 said {status} first" in sentence and end in sentence, sentence


def test_a_connection_that_breaks() -> None:
    scene = made(tcp=True)
    alice, bob = scene.phone("6001"), scene.tcp_phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    cut(scene, bob)
    alice >> a.ack(alice << "500 INVITE")
    broke = "transport: the connection broke, or there was none to send it on (RFC 3261 §8.1.3.1)"
    assert broke in whys(scene, "SIP/2.0 500", "SM", "CM")
    assert f"because {broke}" in stopped(scene)[0], stopped(scene)
