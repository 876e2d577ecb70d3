"""What goes wrong in calls between SIPp phones, and what is left afterwards."""

from __future__ import annotations

import pytest

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, Hop
from tests.interop.sipp import Phone, Sipp
from tests.interop.wire import direction, lamp

HOST = "127.0.0.51"


def hops_of(lab: Lab, run: Sipp) -> list[Hop]:
    return lab.server.hops(f"call-id={run.messages()[0][1].call_id}")


def published(hops: list[Hop], user: str) -> list[tuple[str, str]]:
    """(state, own rendering) of what CM published for a user, without repetitions."""
    said: list[tuple[str, str]] = []
    for hop in hops:
        if hop.message.method == "PUBLISH" and hop.message.body and hop.message.uri == f"sip:{user}@{DOMAIN}":
            document = lamp(hop.message.body)
            if not said or said[-1] != (document.state, document.local):
                said.append((document.state, document.local))
    return said


def no_call_is_left(lab: Lab) -> bool:
    return lab.server.metric("b2bua_calls_active") == 0


# ---- the far phone refuses the hold


def test_refused_hold_is_taken_back_and_the_call_goes_on(lab: Lab) -> None:
    """488: the session stays as it was (RFC 3261 §14.1), the lamp too; the same o= version may come again."""
    a, b = lab.phones(2)
    near, far = lab.call(
        a, Caller(b.user).dial().reinvite("sendonly", status=488).pause(200).reinvite("sendonly").bye(),
        b, Callee().ring().accept().reinvited("sendonly", status=488).reinvited("sendonly", "recvonly").byed(),
    )  # fmt: skip
    hops = hops_of(lab, near)
    assert published(hops, a.user)[-5:] == [
        ("confirmed", "yes"), ("confirmed", "no"), ("confirmed", "yes"), ("confirmed", "no"), ("terminated", ""),
    ]  # fmt: skip
    # The refused hold has its steps as far as it came; no step 9.
    first = [hop.step for hop in hops if hop.step]
    assert 9 not in first[: first.index(8) + 1] and first.count(8) == 2 and first.count(9) == 1
    refusal = far.messages()[[message.status for _, message in far.messages()].index(488) + 1]
    assert refusal[1].method == "ACK", "CM acknowledges the refusal itself"
    assert no_call_is_left(lab)


def test_glare_once_is_retried(lab: Lab) -> None:
    """491 from B: A sees only 100 and 200; B is asked again after 2.1 to 4 s, CM made its Call-ID (RFC 3261 §14.1)."""
    a, b = lab.phones(2)
    near, far = lab.call(
        a, Caller(b.user).dial().reinvite("sendonly").bye(),
        b, Callee().ring().accept().reinvited("sendonly", status=491).reinvited("sendonly", "recvonly").byed(),
    )  # fmt: skip
    assert near.received(status=491) == []
    first, again = far.received("INVITE")[1:]
    assert first.body == again.body and again.cseq == first.cseq + 1 and again.branch != first.branch
    assert published(hops_of(lab, near), a.user)[-2:] == [("confirmed", "no"), ("terminated", "")]


def test_glare_twice_reaches_the_holder(lab: Lab) -> None:
    """A second 491 is the end of it: A gets it, the lamp is taken back, the call goes on."""
    a, b = lab.phones(2)
    near, _ = lab.call(
        a, Caller(b.user).dial().reinvite("sendonly", status=491).bye(),
        b, Callee().ring().accept().reinvited("sendonly", status=491).reinvited("sendonly", status=491).byed(),
    )  # fmt: skip
    assert published(hops_of(lab, near), a.user)[-3:] == [("confirmed", "no"), ("confirmed", "yes"), ("terminated", "")]


def test_a_dialog_that_is_gone_ends_both_legs(lab: Lab) -> None:
    """481 from B: A gets 481, then BYE comes on both legs, and the lamp ends."""
    a, b = lab.phones(2)
    near, _ = lab.call(
        a, Caller(b.user).dial().reinvite("sendonly", status=481).byed(),
        b, Callee().ring().accept().reinvited("sendonly", status=481).byed(),
    )  # fmt: skip
    assert published(hops_of(lab, near), a.user)[-1][0] == "terminated"
    assert no_call_is_left(lab)


def test_the_held_side_hangs_up(lab: Lab) -> None:
    a, b = lab.phones(2)
    near, _ = lab.call(
        a, Caller(b.user).dial().reinvite("sendonly").byed(),
        b, Callee().ring().accept().reinvited("sendonly", "recvonly").bye(),
    )  # fmt: skip
    assert published(hops_of(lab, near), a.user)[-2:] == [("confirmed", "no"), ("terminated", "")]
    assert published(hops_of(lab, near), b.user)[-1][0] == "terminated"
    assert no_call_is_left(lab)


def test_hold_and_resume_again_and_again(lab: Lab) -> None:
    """Hold of a held call, twice the same resume, hold by recvonly's counterpart inactive: all idempotent."""
    a, b = lab.phones(2)
    caller, callee = Caller(b.user).dial(), Callee().ring().accept()
    answers = {"sendonly": "recvonly", "sendrecv": "sendrecv", "inactive": "inactive"}
    for wanted in ("sendonly", "sendonly", "sendrecv", "sendrecv", "inactive", "sendrecv"):
        caller.reinvite(wanted)
        callee.reinvited(wanted, answers[wanted])
    near, _ = lab.call(a, caller.bye(), b, callee.byed())
    heard = [message for message in near.received(status=200) if message.body][1:]
    assert [direction(message.body) for message in heard] == [
        "recvonly", "recvonly", "sendrecv", "sendrecv", "inactive", "sendrecv",
    ]  # fmt: skip


# ---- calls that do not come to be


def test_cancel(lab: Lab) -> None:
    a, b = lab.phones(2)
    near, _ = lab.call(
        a, Caller(b.user).invite().receive(180).pause(100).cancel(),
        b, Callee().ring(cancelled=True).cancelled(),
    )  # fmt: skip
    states = [state for state, _ in published(hops_of(lab, near), a.user)]
    assert "confirmed" not in states and states[-1] == "terminated"
    assert no_call_is_left(lab)


def test_busy(lab: Lab) -> None:
    a, b = lab.phones(2)
    near, _ = lab.call(a, Caller(b.user).invite().refused(486), b, Callee().ring().refuse(486))
    assert published(hops_of(lab, near), a.user)[-1][0] == "terminated"
    assert no_call_is_left(lab)


@pytest.mark.parametrize(
    ("to", "domain", "status"), [("6900", DOMAIN, 404), ("", DOMAIN, 480), ("6001", "example.net", 403)],
    ids=["unknown user", "registered nobody", "foreign domain"],
)  # fmt: skip
def test_nobody_to_call(lab: Lab, to: str, domain: str, status: int) -> None:
    (a,) = lab.phones(1)
    to = to or lab.phone().user
    lab.start(Caller(to, domain).invite().refused(status), a).finish()
    assert no_call_is_left(lab)


# ---- credentials


def test_wrong_password_and_unknown_user_get_the_same_challenge(lab: Lab) -> None:
    known = lab.phone()
    phones = [
        Phone(known.user, "not-the-password", known.host, known.port),
        Phone("6950", "not-the-password", known.host, lab.phone().port),
    ]
    shapes = []
    for phone in phones:
        run = lab.start(Caller().register_refused(), phone)
        run.finish()
        first, second = run.received(status=401)
        for challenge in (first, second):
            shapes.append([name for name, _ in challenge.headers])
            assert "stale" not in challenge.get("WWW-Authenticate").lower()
        assert len(first.get("WWW-Authenticate")) == len(second.get("WWW-Authenticate"))
    assert all(shape == shapes[0] for shape in shapes)
    assert lab.server.metric("b2bua_auth_results_total", result="bad_response") >= 1
    assert lab.server.metric("b2bua_auth_results_total", result="unknown_user") >= 1


def test_wrong_password_places_no_call(lab: Lab) -> None:
    a, b = lab.phones(2)
    wrong = Phone(a.user, "not-the-password", a.host, a.port)
    lab.start(Caller(b.user).invite().refused(407), wrong).finish()
    assert no_call_is_left(lab)


def test_someone_elses_credentials(lab: Lab) -> None:
    """A From that is not the credentials' user is 403."""
    a, b, other = lab.phones(3)
    stranger = Phone(a.user, other.password, a.host, a.port, owner=other.user)
    lab.start(Caller(b.user).invite().refused(403), stranger).finish()
