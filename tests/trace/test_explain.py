"""One sentence on each offer and answer. Each ladder is one leg between a phone and SM, written line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.trace.descriptions import ILLEGAL
from b2bua.trace.explain import MAX_EXCHANGES, MAX_SIDES, Explainer
from tests.trace.hand_made import CREDENTIALS, request, sdp

VIDEO = b"m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
RELIABLE = (("Require", "100rel"), ("RSeq", "1"))


class Leg:
    """6001 calls SM's side. `asks` and `answers` return the note on what they send."""

    def __init__(self, explainer: Explainer | None = None, call_id: str = "c") -> None:
        self.explainer = explainer or Explainer()
        self.call_id = call_id
        self.last: Request | None = None

    def asks(
        self, cseq: int, body: bytes = b"", method: str = "INVITE", to_tag: str = "b", who: str = "6001",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> str:  # fmt: skip
        tags = ("a", to_tag) if who == "6001" else (to_tag, "a")
        made = request(method, "6001", "6002", self.call_id, cseq, *headers, body=body, tags=tags)
        if method != "ACK":
            self.last = made
        return self._seen(who, made)

    def answers(
        self, status: int, body: bytes = b"", tag: str = "b", headers: tuple[tuple[str, str], ...] = (), who: str = "SM"
    ) -> str:
        assert self.last is not None
        made = response_to(self.last, status, tag=tag)
        for name, value in headers:
            made.append(name, value)
        if body:
            made.set_body(body, "application/sdp")
        return self._seen(who, made)

    def _seen(self, who: str, message: Request | Response) -> str:
        far = "SM" if who == "6001" else "6001"
        return self.explainer.note(who, far, message.encode())


def standing(body: bytes | None = None) -> Leg:
    leg = Leg()
    leg.asks(1, body or sdp("sendrecv"), to_tag="")
    leg.answers(200, body or sdp("sendrecv"))
    return leg


def test_a_call_its_hold_and_its_resume() -> None:
    leg = Leg()
    assert leg.asks(1, sdp("sendrecv"), to_tag="") == "offer: audio sendrecv, o= version 1"
    assert leg.answers(100, tag="") == ""
    assert leg.answers(407, tag="x") == ""
    assert leg.asks(2, sdp("sendrecv"), to_tag="", headers=(CREDENTIALS,)) == "the same offer again, with credentials"
    assert leg.answers(180) == ""
    assert leg.answers(200, sdp("sendrecv", 7)) == "answer: audio sendrecv for sendrecv, o= version 7"
    assert leg.asks(2, method="ACK") == ""
    assert leg.asks(3, sdp("sendonly", 2)) == "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else"
    assert leg.answers(200, sdp("recvonly", 8)) == "answer: audio recvonly for sendonly, o= version 7 → 8, nothing else"
    assert leg.asks(4, sdp("sendrecv", 3)) == "resume: audio sendonly → sendrecv, o= version 2 → 3, nothing else"


def test_the_callee_holds_too() -> None:
    leg = standing()
    assert leg.asks(9, sdp("sendonly", 2), who="SM").startswith("hold: audio sendrecv → sendonly")
    assert leg.answers(200, sdp("recvonly", 2), who="6001").startswith("answer: audio recvonly for sendonly")
    assert leg.asks(2, sdp("inactive", 3)).startswith("hold: audio recvonly → inactive, o= version 2 → 3")
    assert leg.answers(200, sdp("inactive", 3)).startswith("answer: audio inactive for inactive")


def test_refresh_and_update() -> None:
    leg = standing()
    assert leg.asks(2, sdp("sendrecv")) == "refresh: the description agreed on, byte for byte"
    assert leg.answers(200, sdp("sendrecv")) == "answer: audio sendrecv for sendrecv, the description as before"
    assert leg.asks(3, method="UPDATE") == "refresh without an offer"
    assert leg.answers(200) == ""
    assert leg.asks(4, sdp("sendonly", 2), method="UPDATE").startswith("hold: ")
    assert leg.answers(200, sdp("recvonly", 2)).startswith("answer: audio recvonly for sendonly")


def test_offerless_invite_is_answered_in_the_ack() -> None:
    leg = standing()
    assert leg.asks(2) == "no offer: the response is to make one (RFC 3261 §14.2)"
    assert leg.answers(200, sdp("sendonly", 2)) == (
        "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else; the ACK answers"
    )
    assert leg.asks(2, sdp("recvonly", 2), method="ACK").startswith("answer: audio recvonly for sendonly")
    assert leg.asks(3).startswith("no offer")
    leg.answers(200, sdp("sendrecv", 3))
    assert leg.asks(3, method="ACK") == "wrong: the ACK does not answer the offer of the 2xx (RFC 3261 §13.2.2.4)"


def test_reliable_responses() -> None:
    leg = Leg()
    leg.asks(1, to_tag="")
    assert leg.answers(183, sdp("sendrecv"), headers=RELIABLE).endswith("; the PRACK answers")
    answer = leg.asks(2, sdp("sendrecv"), method="PRACK", headers=(("RAck", "1 1 INVITE"),))
    assert answer == "answer: audio sendrecv for sendrecv, o= version 1"
    leg.last = request("INVITE", "6001", "6002", "c", 1, tags=("a", ""))
    assert leg.answers(200) == ""
    other = Leg()
    other.asks(1, sdp("sendrecv"), to_tag="")
    assert other.answers(183, sdp("sendrecv")) == "the answer in advance: audio sendrecv"
    assert other.answers(183, sdp("sendrecv"), headers=RELIABLE) == "answer: audio sendrecv for sendrecv, o= version 1"
    assert other.answers(200, sdp("sendrecv")) == "the answer again"
    assert other.answers(200, sdp("inactive")) == "wrong: not the answer given before (RFC 3261 §13.2.1)"


def test_forked_branches_answer_each_for_itself() -> None:
    leg = Leg()
    leg.asks(1, sdp("sendrecv"), to_tag="")
    assert leg.answers(183, sdp("sendrecv"), tag="b1").startswith("the answer in advance")
    leg.asks(1, sdp("sendrecv"), to_tag="")
    assert leg.answers(200, sdp("recvonly"), tag="b2") == "answer: audio recvonly for sendrecv, o= version 1"
    assert leg.answers(200, sdp("sendrecv"), tag="b1") == "answer: audio sendrecv for sendrecv, o= version 1"
    assert leg.asks(2, method="PRACK", to_tag="b1") == leg.asks(2, method="PRACK", to_tag="b2") == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"m=audio 4000", b"m=audio 4006", "change: audio port 4000 → 4006"),
        (b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0", "hold: audio address 192.0.2.1 → 0.0.0.0"),
        (b"RTP/AVP 0\r", b"RTP/AVP 0 8\r", "change: audio formats 0 → 0 8"),
        (b"RTP/AVP", b"RTP/SAVP", "change: audio protocol RTP/AVP → RTP/SAVP"),
        (b"m=audio 4000", b"m=audio 0", "change: audio taken away (port 0)"),
        (b"a=sendrecv\r\n", b"", "change: "),
    ],
)
def test_what_changed_is_named(before: bytes, after: bytes, said: str) -> None:
    leg = standing()
    changed = sdp("sendrecv", 2).replace(before, after)
    assert changed != sdp("sendrecv", 2)
    extra = ", " if not said.endswith(" ") else ""
    assert leg.asks(2, changed) == f"{said}{extra}o= version 1 → 2, nothing else"


def test_streams_that_come_and_other_lines() -> None:
    leg = standing()
    assert leg.asks(2, sdp("sendrecv", 2) + VIDEO) == "change: video added, sendrecv, o= version 1 → 2, nothing else"
    leg.answers(200, sdp("sendrecv", 2) + VIDEO.replace(b"4002", b"0"))
    later = sdp("sendrecv", 3).replace(b"s=-", b"s=x") + VIDEO + b"a=fmtp:96 x\r\n"
    assert leg.asks(3, later) == "change: o= version 2 → 3, also s=, a=fmtp"
    assert leg.answers(200, sdp("sendrecv", 3) + VIDEO.replace(b"4002", b"0")).startswith(
        "answer: audio sendrecv for sendrecv, video refused, o= version 2 → 3"
    )


@pytest.mark.parametrize(("offered", "answered"), sorted(ILLEGAL))
def test_illegal_answers(offered: str, answered: str) -> None:
    leg = standing()
    leg.asks(2, sdp(offered, 2))
    assert f"wrong: {answered} is no answer to {offered} (RFC 3264 §6.1)" in leg.answers(200, sdp(answered, 2))


def test_every_other_answer_is_legal() -> None:
    directions = ("sendrecv", "sendonly", "recvonly", "inactive")
    pairs = [(asked, said) for asked in directions for said in directions if (asked, said) not in ILLEGAL]
    assert len(pairs) == 9
    for asked, said in pairs:
        leg = standing()
        leg.asks(2, sdp(asked, 2))
        assert "wrong" not in leg.answers(200, sdp(said, 2))


@pytest.mark.parametrize(
    ("offer", "flaw"),
    [
        (sdp("sendonly", 1), "o= version unchanged though the description changed (RFC 3264 §8)"),
        (sdp("sendonly", 3), "o= version rose by more than one (RFC 3264 §8)"),
        (sdp("sendonly", 0), "o= version fell from 1 to 0 (RFC 3264 §8)"),
        (sdp("sendonly", 2).replace(b"o=- 1", b"o=- 7"), "the o= line changed in more than its version (RFC 3264 §8)"),
    ],
)
def test_flaws_of_an_origin(offer: bytes, flaw: str) -> None:
    note = standing().asks(2, offer)
    assert note.startswith("hold: ") and note.endswith(f"wrong: {flaw}")


def test_streams_that_vanish() -> None:
    leg = standing(sdp("sendrecv") + VIDEO)
    assert leg.asks(2, sdp("sendrecv", 2)).endswith("wrong: the m= line of video vanished (RFC 3264 §8)")
    assert leg.answers(200, sdp("sendrecv", 2) + VIDEO).endswith("wrong: 2 m= lines answer 1 (RFC 3264 §6)")
    leg = standing()
    leg.asks(2, sdp("sendrecv", 2) + VIDEO.replace(b"4002", b"0"))
    assert "was offered with port 0" in leg.answers(200, sdp("sendrecv", 2) + VIDEO)


def test_a_refused_offer_leaves_no_trace() -> None:
    leg = standing()
    leg.asks(2, sdp("sendonly", 2))
    assert leg.answers(407).startswith("challenged: ")
    assert leg.answers(488) == "refused: the session stays as it was (RFC 3261 §14.1)"
    assert leg.asks(3, sdp("sendonly", 2)) == "the same offer again"
    assert leg.answers(491).startswith("glare: ")
    assert leg.asks(4, sdp("sendonly", 3)) == "hold: audio sendrecv → sendonly, o= version 1 → 3, nothing else"
    assert leg.answers(481).startswith("the dialog is gone")


def test_a_challenged_offer_comes_again_whatever_was_agreed_meanwhile() -> None:
    leg = standing()
    leg.asks(2, sdp("sendonly", 2))
    leg.answers(407)
    leg.asks(1, sdp("sendonly", 2), who="SM")
    assert "wrong" not in leg.answers(200, sdp("inactive", 3), who="6001")
    assert leg.asks(3, sdp("sendonly", 2), headers=(CREDENTIALS,)) == "the same offer again, with credentials"
    assert "wrong" not in leg.answers(200, sdp("inactive", 3))


def test_a_refused_offer_between_counts_for_the_version() -> None:
    leg = standing()
    leg.asks(2, sdp("sendonly", 2))
    pending = leg.last
    leg.asks(3, sdp("inactive", 3))
    leg.answers(500)
    leg.last = pending
    leg.answers(200, sdp("recvonly", 2))
    assert leg.asks(4, sdp("sendrecv", 4)) == "resume: audio sendonly → sendrecv, o= version 2 → 4, nothing else"


def test_cseq_and_to_tag() -> None:
    leg = standing()
    assert "wrong: CSeq 1 after 1, it must rise (RFC 3261 §12.2.1.1)" in leg.asks(1, sdp("sendonly", 2), method="UPDATE")
    leg = standing()
    leg.asks(5, method="INFO")
    assert "wrong: CSeq 4 after 5, it must rise (RFC 3261 §12.2.1.1)" in leg.asks(4, sdp("sendonly", 2))
    assert leg.asks(6, sdp("sendonly", 2), to_tag="").endswith("wrong: no To tag inside a dialog (RFC 3261 §12.2.1.1)")
    leg = Leg()
    leg.asks(1, sdp("sendrecv"), to_tag="")
    leg.answers(401, tag="x")
    assert "wrong: CSeq 1 again after the challenge" in leg.asks(1, sdp("sendrecv"), to_tag="", headers=(CREDENTIALS,))


def test_an_invite_without_to_tag_after_a_final_failure_is_a_new_one() -> None:
    """A phone that goes off-hook first sends the digits in a second INVITE of the same Call-ID and From tag."""
    leg = Leg()
    leg.asks(1, to_tag="")
    leg.answers(484)
    assert leg.asks(2, sdp("sendrecv"), to_tag="") == "offer: audio sendrecv, o= version 1"


def test_missing_answers_and_broken_bodies() -> None:
    leg = standing()
    leg.asks(2, sdp("sendonly", 2))
    assert leg.answers(200) == "wrong: no answer to the offer (RFC 3261 §13.2.1, RFC 3311 §5.2)"
    leg.asks(3)
    assert leg.answers(200) == "wrong: neither offer nor answer in the exchange (RFC 3261 §13.2.1)"
    assert leg.asks(4, b"v=0\r\n") == "wrong: the body is no session description (RFC 8866 §5)"
    assert leg.asks(5, sdp("sendonly", 2), method="ACK").startswith("description in an ACK whose INVITE")


def test_a_response_without_to_tag() -> None:
    leg = Leg()
    leg.asks(1, sdp("sendrecv"), to_tag="")
    assert leg.last is not None
    bare = response_to(leg.last, 200)
    bare.replace("To", "<sip:6002@example.com>")
    assert leg.explainer.note("SM", "6001", bare.encode()).startswith("wrong: no To tag in the response (RFC 3261 §8.2.6.2)")


def test_a_description_among_several_parts() -> None:
    leg = standing()
    other = b"\r\n--x\r\nContent-Type: a/b\r\n\r\nz\r\n--x--\r\n"
    parts = b"--x\r\nContent-Type: application/sdp\r\n\r\n" + sdp("sendonly", 2) + other
    made = request("INVITE", "6001", "6002", "c", 2, tags=("a", "b"))
    made.set_body(parts, "multipart/mixed;boundary=x")
    assert leg.explainer.note("6001", "SM", made.encode()) == "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else"


def test_a_trace_that_begins_in_a_call() -> None:
    leg = Leg()
    assert leg.asks(7, sdp("sendonly", 4)) == "offer: audio sendonly, o= version 4"
    assert leg.answers(200, sdp("recvonly", 4)) == "answer: audio recvonly for sendonly, o= version 4"


def test_thousands_of_streams_make_a_short_sentence() -> None:
    leg = standing(sdp("sendrecv") + VIDEO * 2_000)
    note = leg.asks(2, sdp("sendonly", 1) + VIDEO.replace(b"4002", b"4004") * 1_500)
    assert "video 9 port 4002 → 4004, 1491 more" in note and "the m= line of video 1501 vanished" in note
    assert len(note) < 1_500
    assert len(leg.answers(200, sdp("sendrecv", 2) + VIDEO * 1_900)) < 1_000


def test_memory_is_bounded() -> None:
    explainer = Explainer(limit=3)
    for number in range(10):
        Leg(explainer, f"c{number}").asks(1, sdp("sendrecv"), to_tag="")
    assert len(explainer._legs) == 3
    leg = Leg(explainer)
    for number in range(100):
        leg.asks(number, sdp("sendrecv"), to_tag="")
        leg.answers(200, sdp("sendrecv"), tag=f"b{number}")
        leg.asks(number, method="INFO", to_tag=f"b{number}")
    (inner,) = (one for key, one in explainer._legs.items() if key[0] == "c")
    assert len(inner._exchanges) <= MAX_EXCHANGES
    assert len(inner._sides) <= MAX_SIDES and len(inner._cseqs) <= MAX_SIDES


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.sampled_from(("INVITE", "ACK", "UPDATE", "PRACK", "BYE")),
                          st.sampled_from((0, 100, 183, 200, 407, 488)), st.sampled_from(("", "b", "x")),
                          st.sampled_from((b"", b"v=0\r\n", b"\xff", sdp("sendonly"), sdp("sendrecv", 2) + VIDEO,
                                           sdp("inactive", 3).replace(b"\r\n", b"\n") + b"a=\x0bm=x\n", VIDEO)))))
def test_it_never_raises(sent: list[tuple[bool, int, str, int, str, bytes]]) -> None:
    explainer = Explainer()
    for up, cseq, method, status, tag, body in sent:
        made: Request | Response = request(method, "6001", "6002", "c", cseq, tags=("a", tag))
        if status:
            assert isinstance(made, Request)
            made = response_to(made, status, tag=tag)
        if body:
            made.set_body(body, "application/sdp")
        way = ("6001", "SM") if up != bool(status) else ("SM", "6001")
        assert isinstance(explainer.note(*way, made.encode()), str)
    assert explainer.note("a", "b", b"\xff\xfe") == ""


def test_a_leg_that_is_over_is_forgotten_and_a_challenged_bye_ends_nothing() -> None:
    leg = standing()
    leg.asks(2, method="BYE")
    leg.answers(407)
    assert leg.asks(3, sdp("sendonly", 2)).startswith("hold: ")
    leg.answers(200, sdp("recvonly", 2))
    leg.asks(4, method="BYE")
    assert leg.answers(200) == ""
    assert leg.asks(5, sdp("sendrecv", 9), to_tag="") == "offer: audio sendrecv, o= version 9"
