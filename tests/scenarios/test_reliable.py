"""Reliable provisional responses through Communication Manager (RFC 3262): negotiated on each leg, none promised in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.reliable_call import (
    ALLOW,
    REQUIRED,
    RSEQ,
    SUPPORTED,
    acknowledged,
    early,
    in_early_media,
    picked_up,
    prack,
    rack,
    reliably,
)
from tests.scenarios.scene import TIMEOUT, MakeScene, Scene, called, hang_up, is_gone
from tests.scenarios.script_call import ScriptCall

# ---- who is offered what


@pytest.mark.parametrize(
    ("setting", "lines", "body", "offered"),
    [
        ("as-caller", ("Supported: timer, 100rel",), None, True),
        ("as-caller", (REQUIRED,), None, True),
        ("as-caller", ("Supported: timer",), None, False),
        ("always", ("Supported: timer",), None, True),
        ("always", ("Supported: timer",), "", False),
        ("always", (SUPPORTED,), "", True),
        ("never", (SUPPORTED,), None, False),
    ],
)
def test_what_the_callee_is_offered(
    make_scene: MakeScene, setting: str, lines: tuple[str, ...], body: str | None, offered: bool
) -> None:
    scene = make_scene(reliable=setting)
    a, b, arrived = early(scene, *lines, body=body)
    assert ("100rel" in arrived.tokens("Supported")) is offered
    assert "100rel" not in arrived.tokens("Require")
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def test_switched_off_who_requires_it_is_refused_420(make_scene: MakeScene) -> None:
    scene = make_scene(reliable="never")
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor, REQUIRED)
    refusal = alice << "420 INVITE"
    assert refusal.get("Unsupported") == "100rel"
    alice >> a.ack(refusal)
    bob.hears_nothing()


def test_both_know_it(scene: Scene) -> None:
    """Each leg has its own numbers; the caller's PRACK becomes the callee's."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    ringing = a.phone << "180 INVITE"
    assert ringing.get("RSeq") != str(RSEQ) and 1 <= (ringing.integer("RSeq") or 0) < 2**31
    assert ringing.has("Contact") and ringing.has("Record-Route")
    b.phone.hears_nothing()
    prack(a, ringing, "", "X-Note: hello")
    a.phone << "200 PRACK no-body"
    arrived_prack = acknowledged(b)
    assert arrived_prack.get("RAck") == f"{RSEQ} {arrived.cseq} INVITE" and arrived_prack.get("X-Note") == "hello"
    answer = picked_up(a, b, arrived, b.sdp())
    assert answer.body
    hang_up(a, b)


def test_unreliable_ones_stay_so(scene: Scene) -> None:
    a, b, arrived = early(scene)
    b.phone >> b.answer(arrived, 180)
    ringing = a.phone << "180 INVITE"
    assert not ringing.has("RSeq") and not ringing.has("Require")
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_who_requires_it_gets_each_one_reliably(scene: Scene) -> None:
    """Whatever the callee does: that leg's promise is ours (§3)."""
    a, b, arrived = early(scene, REQUIRED, ALLOW)
    b.phone >> b.answer(arrived, 180)
    b.phone >> b.answer(arrived, 183, b.sdp())
    ringing = a.phone << "180 INVITE"
    a.phone.hears_nothing()  # the second waits for the PRACK of the first
    prack(a, ringing)
    progress = a.phone << "183 INVITE a=sendrecv"
    a.phone << "200 PRACK"
    assert progress.integer("RSeq") == (ringing.integer("RSeq") or 0) + 1
    prack(a, progress)
    a.phone << "200 PRACK"
    b.phone.hears_nothing()
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_the_caller_does_not_know_it(make_scene: MakeScene) -> None:
    """We acknowledge the callee's; the answer that it said once stands in the caller's 200 (RFC 3261 §13.2.1)."""
    scene = make_scene(reliable="always")
    a, b, arrived = early(scene, "Subject: hello")
    reliably(b, arrived, 183, RSEQ, b.sdp())
    assert acknowledged(b).get("RAck") == f"{RSEQ} {arrived.cseq} INVITE"
    progress = a.phone << "183 INVITE a=sendrecv"
    assert not progress.has("RSeq") and not progress.has("Require")
    reliably(b, arrived, 180, RSEQ + 1)
    acknowledged(b)
    a.phone << "180 INVITE"
    answer = picked_up(a, b, arrived)
    assert answer.body == progress.body
    hang_up(a, b)


def test_a_callee_that_insists_on_it(scene: Scene) -> None:
    """421 with Require: the same INVITE once more, with what it wants (RFC 3261 §21.4.16). The caller hears nothing of it."""
    a, b, arrived = early(scene, "Subject: hello")
    b.phone >> b.answer(arrived, 421, "", REQUIRED)
    b.phone << "ACK"
    a.phone.hears_nothing()
    again = b.phone << "INVITE"
    assert again.cseq == arrived.cseq + 1 and again.body == arrived.body and "100rel" in again.tokens("Supported")
    reliably(b, again, 183, RSEQ, b.sdp())
    assert acknowledged(b).get("RAck") == f"{RSEQ} {again.cseq} INVITE"
    a.phone << "183 INVITE a=sendrecv"
    assert picked_up(a, b, again).body
    hang_up(a, b)


@pytest.mark.parametrize(
    ("setting", "body", "line"), [("never", None, REQUIRED), ("as-caller", "", REQUIRED), ("as-caller", None, "Require: magic")]
)
def test_a_callee_that_insists_on_what_we_cannot_do(make_scene: MakeScene, setting: str, body: str | None, line: str) -> None:
    scene = make_scene(reliable=setting)
    a, b, arrived = early(scene, "Subject: hello", body=body)
    b.phone >> b.answer(arrived, 421, "", line)
    b.phone << "ACK"
    refusal = a.phone << "421 INVITE"
    assert not refusal.has("Require")
    a.phone >> a.ack(refusal)


def test_prack_is_challenged_where_it_is_switched_on(make_scene: MakeScene) -> None:
    """By Session Manager: what the PRACK acknowledges stays open until it comes with credentials."""
    scene = make_scene(challenge={"PRACK": "407"})
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    ringing = a.phone << "180 INVITE"
    prack(a, ringing)
    challenge = a.phone << "407 PRACK"
    b.phone.hears_nothing()
    authorization = a.phone.credentials(challenge, "PRACK", a.target)
    a.phone >> a.request("PRACK", "", rack(ringing), authorization)
    a.phone << "200 PRACK"
    assert not acknowledged(b).has("Proxy-Authorization")
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_through_two_feature_servers(make_scene: MakeScene) -> None:
    """Each is a B2BUA, and each leg has numbers of its own."""
    scene = make_scene()
    scene.server.start_remote("second", ("192.0.2.4", 5072), ("192.0.2.1", 5074))
    a, b, arrived = in_early_media(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    at_callee = b.phone << "UPDATE a=sendonly"
    b.phone >> b.answer(at_callee, 200, b.sdp("recvonly"))
    a.phone << "200 UPDATE a=recvonly"
    picked_up(a, b, arrived)
    hang_up(a, b)


@pytest.mark.parametrize("tag", ["precondition", "timer", "replaces", "100rel"])
def test_what_one_leg_supports_is_not_told_to_the_other(scene: Scene, tag: str) -> None:
    """Option tags are each leg's own (RFC 5853 §3.2): the other party is told what Communication Manager itself does."""
    a, b, arrived = early(scene, f"Supported: {tag}, norefersub", ALLOW)
    assert arrived.tokens("Supported") <= {"timer", "100rel"} and not arrived.has("Require")
    b.phone >> b.answer(arrived, 180, "", "Supported: precondition", "Require: precondition")
    ringing = a.phone << "180 INVITE"
    assert not ringing.has("Require") and not ringing.has("Supported")
    b.phone >> b.answer(arrived, 420, "", "Unsupported: 100rel")
    b.phone << "ACK"
    refusal = a.phone << "420 INVITE"
    assert not refusal.has("Unsupported")  # it did not ask for that
    a.phone >> a.ack(refusal)


# ---- repeated, in order, given up


def test_repeated_until_the_prack(scene: Scene) -> None:
    """T1, 2·T1, 4·T1 … without the bound of T2 (§3); the callee's own repetitions go no further."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    started = scene.now()
    ringing = a.phone << "180 INVITE"
    for _ in range(3):
        scene.advance(5.4)
        reliably(b, arrived, 180)
    at = [int(2 * (when - started)) / 2 for when, _ in a.phone.repeated]
    assert at == [0.5, 1.5, 3.5, 7.5, 15.5]
    prack(a, ringing)
    a.phone << "200 PRACK"
    acknowledged(b)
    reliably(b, arrived, 180)  # crossed the PRACK
    scene.advance(20)
    assert len(a.phone.repeated) == 5
    b.phone.hears_nothing()
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_the_prack_never_comes(scene: Scene) -> None:
    """After 64·T1 5xx to the caller (§3), and the callee's phone stops ringing."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    a.phone << "183 INVITE"
    assert scene.wait(a.phone, TIMEOUT) >= 32
    a.phone >> a.ack(a.phone << "500 INVITE")
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"


def test_out_of_order_is_not_acknowledged(scene: Scene) -> None:
    """§4: what comes after a gap is dropped, until what is missing has come."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 180, RSEQ)
    prack(a, a.phone << "180 INVITE")
    a.phone << "200 PRACK"
    acknowledged(b)
    reliably(b, arrived, 182, RSEQ + 2)
    a.phone.hears_nothing()
    reliably(b, arrived, 181, RSEQ + 1)
    prack(a, a.phone << "181 INVITE")
    a.phone << "200 PRACK"
    acknowledged(b)
    reliably(b, arrived, 182, RSEQ + 2)
    prack(a, a.phone << "182 INVITE")
    a.phone << "200 PRACK"
    acknowledged(b)
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_a_prack_that_matches_nothing_481(scene: Scene) -> None:
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    ringing = a.phone << "180 INVITE"
    a.learn(ringing)
    rseq, cseq = ringing.integer("RSeq") or 0, ringing.cseq
    for wrong in (f"{rseq + 1} {cseq} INVITE", f"{rseq} {cseq + 1} INVITE", f"{rseq} {cseq} invite"):
        a.phone >> a.request("PRACK", "", f"RAck: {wrong}")
        a.phone << "481 PRACK"
    for malformed in ("RAck: hello", f"RAck: {rseq} {cseq}", "X-RAck: 1 1 INVITE"):
        a.phone >> a.request("PRACK", "", malformed)
        a.phone << "400 PRACK"
    prack(a, ringing)
    a.phone << "200 PRACK"
    acknowledged(b)
    a.phone >> a.request("PRACK", "", rack(ringing))  # a second time, as another request
    a.phone << "481 PRACK"
    b.phone >> b.request("PRACK", "", rack(ringing))  # the callee has nothing to acknowledge
    b.phone << "481 PRACK"
    picked_up(a, b, arrived, b.sdp())
    a.phone >> a.request("PRACK", "", rack(ringing))
    a.phone << "481 PRACK"
    hang_up(a, b)


# ---- the final response and what is not acknowledged yet


def test_the_answer_waits_for_the_prack_of_a_description(scene: Scene) -> None:
    """§3: no 2xx while a reliable response with a description is unacknowledged. The callee has its ACK at once."""
    a, b, arrived = early(scene, REQUIRED, ALLOW)
    b.phone >> b.answer(arrived, 183, b.sdp())
    progress = a.phone << "183 INVITE a=sendrecv"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    a.phone.hears_nothing()
    prack(a, progress)
    a.phone << "200 PRACK"
    answer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(answer)
    hang_up(a, b)


def test_the_answer_does_not_wait_for_the_prack_of_a_180(scene: Scene) -> None:
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    ringing = a.phone << "180 INVITE"
    picked_up(a, b, arrived, b.sdp())
    prack(a, ringing)
    a.phone << "200 PRACK"
    acknowledged(b)
    scene.advance(2)
    assert not a.phone.repeated
    hang_up(a, b)


def test_the_answer_waits_and_the_prack_never_comes(scene: Scene) -> None:
    a, b, arrived = early(scene, REQUIRED, ALLOW)
    b.phone >> b.answer(arrived, 183, b.sdp())
    a.phone << "183 INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    scene.wait(a.phone, TIMEOUT)
    a.phone >> a.ack(a.phone << "500 INVITE")
    is_gone(b)


def test_the_callee_hangs_up_while_its_answer_waits(scene: Scene) -> None:
    a, b, arrived = early(scene, REQUIRED, ALLOW)
    b.phone >> b.answer(arrived, 183, b.sdp())
    a.phone << "183 INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")


@pytest.mark.parametrize("status", [486, 603])
def test_a_refusal_does_not_wait(scene: Scene, status: int) -> None:
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    progress = a.phone << "183 INVITE"
    b.phone >> b.answer(arrived, status)
    b.phone << "ACK"
    refusal = a.phone << f"{status} INVITE"
    a.phone >> a.ack(refusal)
    scene.advance(2)
    assert not a.phone.repeated
    prack(a, progress)  # it crossed the refusal: §3 wants it answered
    a.phone << "200 PRACK"
    prack(a, progress)
    a.phone << "481 PRACK"


@pytest.mark.parametrize("bye", [False, True])
def test_the_caller_gives_up_while_one_is_open(scene: Scene, bye: bool) -> None:
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    progress = a.phone << "183 INVITE"
    sent = a.again()
    if bye:
        a.learn(progress)
        a.phone >> a.request("BYE")
        a.phone << "200 BYE"
        a._sent = sent
    else:
        a.phone >> a.cancel()
        a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"


# ---- descriptions (§5)


def test_the_answer_in_a_reliable_response(scene: Scene) -> None:
    """The 200 needs none; a session refresh afterwards knows what was said."""
    a, b, arrived = in_early_media(scene)
    answer = picked_up(a, b, arrived)
    assert not answer.body
    a.phone >> a.request("UPDATE", a.sdp())
    a.phone << "200 UPDATE a=sendrecv"  # the same again is a refresh, answered here
    b.phone.hears_nothing()
    hang_up(a, b)


def test_the_offer_in_a_reliable_response_and_the_answer_in_the_prack(scene: Scene) -> None:
    """An INVITE without an offer (RFC 6337 §2, pattern 4)."""
    a, b, arrived = early(scene, body="")
    assert not arrived.body
    reliably(b, arrived, 183, RSEQ, b.sdp())
    offer = a.phone << "183 INVITE a=sendrecv"
    prack(a, offer, a.sdp())
    a.phone << "200 PRACK no-body"
    acknowledged(b, "a=sendrecv")
    answer = picked_up(a, b, arrived)
    assert not answer.body
    hang_up(a, b)


def test_an_offer_in_the_prack(scene: Scene) -> None:
    """Its answer comes in the 200 to the PRACK (RFC 6337 §2, pattern 5)."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    prack(a, a.phone << "183 INVITE", a.sdp("sendonly"))
    a.phone.hears_nothing()
    acknowledged(b, "a=sendonly", b.sdp("recvonly"))
    a.phone << "200 PRACK a=recvonly"
    answer = picked_up(a, b, arrived, b.sdp())
    assert not answer.body  # the first answer is out of date
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 1}
    hang_up(a, b)


def test_an_offer_in_the_prack_is_refused(scene: Scene) -> None:
    """It may come again without (RFC 6337 §2.3)."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    progress = a.phone << "183 INVITE"
    prack(a, progress, a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "PRACK a=sendonly", 488)
    a.phone << "488 PRACK"
    a.version, a._direction = 1, "sendrecv"
    prack(a, progress)
    a.phone << "200 PRACK no-body"
    acknowledged(b)
    prack(a, progress)
    a.phone << "481 PRACK"
    picked_up(a, b, arrived)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    hang_up(a, b)


def test_an_offer_in_the_prack_where_the_callee_said_nothing_reliably(scene: Scene) -> None:
    """There is no PRACK to put it in, and no session that an UPDATE could change: 488."""
    a, b, arrived = early(scene, REQUIRED, ALLOW)
    b.phone >> b.answer(arrived, 183, b.sdp())
    progress = a.phone << "183 INVITE"
    prack(a, progress, a.sdp("sendonly"))
    a.phone << "488 PRACK"
    prack(a, progress)
    a.phone << "200 PRACK"
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_no_offer_is_made_of_what_the_callee_did_not_offer(scene: Scene) -> None:
    """The INVITE had none, and an unreliable 183 cannot have one (RFC 3261 §13.2.1): the caller gets it in the 200."""
    a, b, arrived = early(scene, REQUIRED, ALLOW, body="")
    b.phone >> b.answer(arrived, 183, b.sdp())
    prack(a, a.phone << "183 INVITE no-body")
    a.phone << "200 PRACK"
    b.phone >> b.answer(arrived, 200, b.sdp())
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.request("ACK", a.sdp(), cseq=offer.cseq)
    b.phone << "ACK a=sendrecv"
    hang_up(a, b)


def test_other_bodies_in_a_prack_go_on(scene: Scene) -> None:
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    ringing = a.phone << "180 INVITE"
    a.learn(ringing)
    a.phone >> a.request("PRACK", "hello", rack(ringing)).replace("application/sdp", "text/plain")
    a.phone << "200 PRACK"
    assert acknowledged(b).body == b"hello"
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


VIDEO = "m=video 40002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


def media(body: bytes) -> list[str]:
    return [line for line in body.decode().splitlines() if line.startswith("m=")]


@pytest.mark.parametrize("offerless", [False, True])
def test_several_streams_in_every_message(scene: Scene, offerless: bool) -> None:
    """Refused ones stay at port 0, none vanishes, those that an answer leaves out stand there as refused (RFC 3264 §6, §8)."""
    a, b, arrived = early(scene, body="" if offerless else ScriptCall(scene.phone("6003"), "").sdp() + VIDEO)
    if offerless:
        reliably(b, arrived, 183, RSEQ, b.sdp() + VIDEO)
        prack(a, a.phone << "183 INVITE", a.sdp())
        a.phone << "200 PRACK"
        answer = acknowledged(b)
    else:
        assert len(media(arrived.body)) == 2
        reliably(b, arrived, 183, RSEQ, b.sdp())
        answer = a.phone << "183 INVITE"
        prack(a, answer)
        a.phone << "200 PRACK"
        acknowledged(b)
    assert media(answer.body)[1] == "m=video 0 RTP/AVP 96"
    # One that was refused comes back, in an UPDATE, and is taken.
    a.phone >> a.request("UPDATE", a.sdp() + VIDEO, ALLOW)
    at_callee = b.phone << "UPDATE"
    assert media(at_callee.body)[1] == "m=video 40002 RTP/AVP 96"
    b.phone >> b.answer(at_callee, 200, b.sdp() + VIDEO)
    assert media((a.phone << "200 UPDATE").body)[1] == "m=video 40002 RTP/AVP 96"
    # One that vanishes is refused here.
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    assert (a.phone << "488 UPDATE").has("Warning")
    picked_up(a, b, arrived)
    hang_up(a, b)


# ---- features


KEEPS = """
from b2bua.feature_server.feature import Feature


class Keeps(Feature):
    def response_received(self, call, leg, response):
        return None if response.status == 183 else response
"""
REFUSES = """
from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError


class Refuses(Feature):
    def request_received(self, call, leg, request):
        raise {what}
"""
RINGS = """
from b2bua.feature_server.feature import Feature


class Rings(Feature):
    def call_offered(self, call, invite):
        call.caller.respond(181)
        return invite
"""


def test_a_feature_that_keeps_a_reliable_response(make_scene: MakeScene, tmp_path: Path) -> None:
    """The callee has its PRACK when it repeats it: the call need not fail for it."""
    (tmp_path / "keeps.py").write_text(KEEPS)
    scene = make_scene(feature_directory=tmp_path, features=("keeps", "hold", "lamps"))
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    a.phone.hears_nothing()
    b.phone.hears_nothing()
    reliably(b, arrived, 183, RSEQ, b.sdp())
    acknowledged(b)
    reliably(b, arrived, 180, RSEQ + 1)
    prack(a, a.phone << "180 INVITE")
    a.phone << "200 PRACK"
    acknowledged(b)
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


@pytest.mark.parametrize(("what", "status"), [("SipError(488)", 488), ("ValueError()", 500)])
def test_a_feature_that_refuses_an_offer(make_scene: MakeScene, tmp_path: Path, what: str, status: int) -> None:
    """In an UPDATE and in a PRACK; the PRACK comes again without, and nothing is held."""
    (tmp_path / "refuses.py").write_text(REFUSES.format(what=what))
    scene = make_scene(feature_directory=tmp_path, features=("hold", "lamps", "refuses"))
    scene.expected_errors = 2 if status == 500 else 0
    a, b, arrived = early(scene)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    progress = a.phone << "183 INVITE"
    prack(a, progress, a.sdp("sendonly"))
    a.phone << f"{status} PRACK"
    a.version, a._direction = 1, "sendrecv"
    b.phone.hears_nothing()
    prack(a, progress)
    a.phone << "200 PRACK"
    acknowledged(b)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    a.phone << f"{status} UPDATE"
    b.phone.hears_nothing()
    picked_up(a, b, arrived)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    hang_up(a, b)


def test_a_feature_that_says_something_itself(make_scene: MakeScene, tmp_path: Path) -> None:
    """To a caller that wants it so, reliably."""
    (tmp_path / "rings.py").write_text(RINGS)
    scene = make_scene(feature_directory=tmp_path, features=("rings", "hold", "lamps"))
    a, b, arrived = early(scene, REQUIRED, ALLOW)
    forwarded = a.phone << "181 INVITE"
    reliably(b, arrived, 180)
    a.phone.hears_nothing()
    prack(a, forwarded)
    ringing = a.phone << "180 INVITE"
    a.phone << "200 PRACK"
    assert ringing.to.tag == forwarded.to.tag
    assert (ringing.integer("RSeq") or 0) == (forwarded.integer("RSeq") or 0) + 1
    prack(a, ringing)
    a.phone << "200 PRACK"
    acknowledged(b)
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


# ---- re-INVITEs


def test_a_reinvite_that_requires_it(scene: Scene) -> None:
    """No provisional response above 100 comes, and so none that is not reliable."""
    a, b, arrived = in_early_media(scene)
    picked_up(a, b, arrived)
    a.phone >> a.invite(a.sdp("sendonly"), REQUIRED)
    challenge = a.phone << "407 INVITE"
    a.phone >> a.ack(challenge)
    a.phone >> a.with_credentials(challenge)
    arrived = b.phone << "INVITE a=sendonly"
    assert "100rel" not in arrived.tokens("Supported")
    b.phone >> b.answer(arrived, 180)
    a.phone.hears_nothing()
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)
