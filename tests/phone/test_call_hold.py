"""Hold and resume, by either side, and what comes between (RFC 3264 §8.4, RFC 3261 §14, RFC 6337 §5.3)."""

import pytest

from b2bua.observer import METHODS
from b2bua.phone.call import OTHER_CALL_ID, OWN_CALL_ID, CallState
from b2bua.sip.reason import REASON
from tests.phone.scripted_peer import Scene, description, direction, version


@pytest.fixture
def scene() -> Scene:
    return Scene()


def held_by_us(scene: Scene):
    """A call that the phone made and holds."""
    call = scene.established()
    call.hold()
    scene.reply(scene.one("INVITE"), 200, description("recvonly", 2))
    scene.one("ACK")
    assert call.told
    return call


# The phone holds.


def test_hold_and_resume_say_one_new_thing_each(scene):
    call = scene.phone.dial("6002")
    first = scene.one("INVITE")
    scene.reply(first, 200, description("sendrecv"))
    scene.one("ACK")
    call.hold(("Reason", 'avaya-action;cause=1;text="Hold"'))
    assert not call.session.sends
    hold = scene.one("INVITE")
    assert hold.body == first.body.replace(b" 1 IN IP4", b" 2 IN IP4").replace(b"sendrecv", b"sendonly")
    assert (hold.call_id, hold.from_.tag, hold.to.tag) == (first.call_id, first.from_.tag, "peer")
    assert hold.cseq > first.cseq
    assert hold.get("Reason") == 'avaya-action;cause=1;text="Hold"'
    scene.reply(hold, 200, description("recvonly", 2))
    scene.one("ACK")
    assert call.told
    call.resume()
    resume = scene.one("INVITE")
    assert (direction(resume), version(resume)) == ("sendrecv", version(hold) + 1)
    assert not resume.has("Reason")
    scene.reply(resume, 200, description("sendrecv", 3))
    scene.one("ACK")
    assert call.session.sends


@pytest.mark.row(10)
def test_a_challenged_hold_keeps_its_version(scene):
    call = scene.established()
    call.hold()
    first = scene.one("INVITE")
    scene.challenge(first, "fresh")
    ack, second = scene.take()
    assert ack.method == "ACK"
    assert (second.cseq, second.body) == (first.cseq + 1, first.body)
    assert second.top_via.branch != first.top_via.branch
    assert (second.call_id, second.from_.tag, second.to.tag) == (first.call_id, first.from_.tag, first.to.tag)
    assert 'nonce="fresh"' in second.get("Proxy-Authorization")
    scene.reply(second, 200, description("recvonly", 2))
    scene.one("ACK")
    assert call.told


@pytest.mark.bug("SIP.js 774")
def test_each_reinvite_is_challenged_anew_and_answered_anew(scene):
    call = scene.established()
    for number, verb in enumerate((call.hold, call.resume, call.hold), 1):
        verb()
        plain = scene.one("INVITE")
        assert not plain.has("Proxy-Authorization")
        scene.challenge(plain, f"n{number}")
        _, again = scene.take()
        assert f'nonce="n{number}"' in again.get("Proxy-Authorization")
        scene.reply(again, 200, description("recvonly" if call.session.holding else "sendrecv", number + 1))
        scene.one("ACK")


def test_twice_hold_and_twice_resume_are_one(scene):
    call = held_by_us(scene)
    call.hold()
    assert scene.take() == []
    call.resume()
    scene.reply(scene.one("INVITE"), 200, description("sendrecv", 3))
    scene.take()
    call.resume()
    assert scene.take() == []


def test_a_resume_during_the_hold_follows_it(scene):
    call = scene.established()
    call.hold()
    call.resume()
    hold = scene.one("INVITE")
    scene.reply(hold, 200, description("recvonly", 2))
    ack, resume = scene.take()
    assert (ack.method, direction(resume)) == ("ACK", "sendrecv")


def test_a_refused_hold_changes_nothing(scene):
    call = scene.established()
    call.hold()
    hold = scene.one("INVITE")
    scene.reply(hold, 488)
    scene.one("ACK")
    assert call.state is CallState.ESTABLISHED
    assert (call.session.holding, call.told, call.session.sends) == (False, False, True)
    call.hold()
    assert scene.one("INVITE").body == hold.body


@pytest.mark.parametrize("status", [408, 481])
def test_a_hold_that_meets_no_dialog_ends_the_call(scene, status):
    call = scene.established()
    call.hold()
    scene.reply(scene.one("INVITE"), status)
    ack, bye = scene.take()
    assert (ack.method, bye.method) == ("ACK", "BYE")
    scene.reply(bye, 481)
    assert (call.state, call.status) == (CallState.ENDED, status)


def test_a_hold_without_any_answer_ends_the_call(scene):
    call = scene.established()
    call.hold()
    scene.advance(32.5)
    assert scene.take()[-1].method == "BYE"
    assert call.status == 408


def test_hanging_up_during_a_hold_sends_bye_at_once(scene):
    call = scene.established()
    call.hold()
    hold = scene.one("INVITE")
    call.hang_up()
    bye = scene.one("BYE")
    scene.reply(hold, 487)
    scene.one("ACK")
    scene.reply(bye, 200)
    assert call.state is CallState.ENDED


def test_a_200_to_the_hold_after_bye_is_acknowledged_only(scene):
    call = scene.established()
    call.hold()
    hold = scene.one("INVITE")
    call.hang_up()
    scene.one("BYE")
    scene.reply(hold, 200, description("recvonly", 2))
    scene.one("ACK")


# The peer holds.


def test_the_peer_holds_and_resumes(scene):
    call = scene.established()
    scene.ask_in(call, "INVITE", 1, description("sendonly", 2))
    assert direction(scene.one(200)) == "recvonly"
    assert (call.session.held, call.session.sends) == (True, False)
    scene.ask_in(call, "ACK", 1)
    scene.ask_in(call, "INVITE", 2, description("sendrecv", 3))
    assert direction(scene.one(200)) == "sendrecv"
    assert (call.session.held, call.session.sends) == (False, True)


def test_an_offerless_reinvite_while_we_hold_is_offered_sendonly(scene):
    call = held_by_us(scene)
    scene.ask_in(call, "INVITE", 1)
    assert direction(scene.one(200)) == "sendonly"
    scene.ask_in(call, "ACK", 1, description("recvonly", 3))
    assert (call.session.direction, call.told) == ("sendonly", True)
    assert scene.take() == []


@pytest.mark.bug("JsSIP 612")
@pytest.mark.bug("FreeSWITCH 1091")
def test_an_offerless_reinvite_while_held_is_offered_sendrecv(scene):
    """JsSIP issue 612, FreeSWITCH issue 1091: never the remote's hold."""
    call = scene.established()
    scene.ask_in(call, "INVITE", 1, description("sendonly", 2))
    scene.ask_in(call, "ACK", 1)
    scene.take()
    scene.ask_in(call, "INVITE", 2)
    assert direction(scene.one(200)) == "sendrecv"
    scene.ask_in(call, "ACK", 2, description("sendrecv", 3))
    assert call.session.sends


def test_an_offer_of_ours_that_is_not_answered_changes_nothing(scene):
    call = scene.established()
    scene.ask_in(call, "INVITE", 1)
    scene.one(200)
    scene.ask_in(call, "ACK", 1)
    assert (call.state, call.session.direction) == (CallState.ESTABLISHED, "sendrecv")


def test_no_reinvite_is_taken_while_our_offer_is_open(scene):
    call = scene.established()
    scene.ask_in(call, "INVITE", 1)
    scene.one(200)
    scene.ask_in(call, "INVITE", 2, description("sendonly", 2))
    scene.one(491)


@pytest.mark.bug("JsSIP 977")
def test_a_remote_sendrecv_does_not_cancel_our_hold(scene):
    """JsSIP issue 977."""
    call = held_by_us(scene)
    scene.ask_in(call, "INVITE", 1, description("sendrecv", 3))
    assert direction(scene.one(200)) == "sendonly"
    scene.ask_in(call, "ACK", 1)
    assert (call.session.holding, call.session.sends) == (True, False)


@pytest.mark.bug("pjsip 1181")
@pytest.mark.bug("linphone-android 2222")
def test_both_hold_and_the_resume_of_one_leaves_the_other(scene):
    """pjsip issue 1181, linphone-android issue 2222."""
    call = held_by_us(scene)
    scene.ask_in(call, "INVITE", 1, description("sendonly", 3))
    assert direction(scene.one(200)) == "inactive"
    scene.ask_in(call, "ACK", 1)
    call.resume()
    resume = scene.one("INVITE")
    assert direction(resume) == "sendrecv"
    scene.reply(resume, 200, description("sendonly", 4))
    scene.one("ACK")
    assert (call.session.direction, call.session.held) == ("recvonly", True)
    scene.ask_in(call, "INVITE", 2, description("sendrecv", 5))
    assert direction(scene.one(200)) == "sendrecv"
    assert call.session.sends


def test_a_refresh_is_answered_from_our_own_state(scene):
    call = held_by_us(scene)
    for cseq in (1, 2):
        scene.ask_in(call, "INVITE", cseq, description("recvonly", 2))
        assert direction(scene.one(200)) == "sendonly"
        scene.ask_in(call, "ACK", cseq)


def test_a_bad_offer_is_refused_and_the_session_stays(scene):
    call = scene.established()
    scene.ask_in(call, "INVITE", 1, b"no sdp")
    scene.one(488)
    assert call.session.sends
    scene.ask_in(call, "INVITE", 2, description("sendonly", 2))
    scene.one(200)


# Both at once.


def test_a_reinvite_that_meets_ours_gets_491(scene):
    call = scene.established()
    call.hold()
    scene.one("INVITE")
    scene.ask_in(call, "INVITE", 1, description("sendonly", 2))
    scene.one(491)


def test_our_hold_waits_for_the_ack_of_theirs(scene):
    """RFC 3261 §14.1: no INVITE while the other's transaction is open."""
    call = scene.established()
    scene.ask_in(call, "INVITE", 1, description("sendonly", 2))
    scene.one(200)
    call.hold()
    assert scene.take() == []
    scene.ask_in(call, "ACK", 1)
    assert direction(scene.one("INVITE")) == "sendonly"


@pytest.mark.parametrize("ours", [True, False])
def test_a_491_is_retried_once_in_the_right_band(scene, ours):
    """pjsip issue 3886; RFC 3261 §14.1."""
    call = scene.established() if ours else scene.called()
    low, high = OWN_CALL_ID if ours else OTHER_CALL_ID
    scene.drawn = low + 1.0
    call.hold()
    first = scene.one("INVITE")
    scene.reply(first, 491)
    scene.one("ACK")
    assert scene.bounds[-1][0] == low
    assert scene.bounds[-1][1] <= high
    scene.advance(low + 0.9)
    assert scene.take() == []
    scene.advance(0.2)
    second = scene.one("INVITE")
    assert (second.body, second.cseq) == (first.body, first.cseq + 1)
    scene.reply(second, 491)
    scene.one("ACK")
    scene.advance(10)
    assert scene.take() == []
    assert (call.state, call.session.holding) == (CallState.ESTABLISHED, False)


def test_a_retry_that_is_no_longer_wanted_does_not_leave(scene):
    call = scene.established()
    call.hold()
    scene.reply(scene.one("INVITE"), 491)
    scene.one("ACK")
    call.resume()
    scene.advance(5)
    assert scene.take() == []


def test_the_peers_hold_during_the_wait_is_answered_and_ours_still_leaves(scene):
    call = scene.established()
    call.hold()
    first = scene.one("INVITE")
    scene.reply(first, 491)
    scene.one("ACK")
    scene.ask_in(call, "INVITE", 1, description("sendonly", 2))
    answer = scene.one(200)
    assert direction(answer) == "inactive"
    scene.ask_in(call, "ACK", 1)
    scene.advance(4.1)
    second = scene.one("INVITE")
    assert direction(second) == "sendonly"
    assert version(second) > version(answer) > version(first) - 1


def test_a_call_that_ends_during_the_wait_sends_no_retry(scene):
    call = scene.established()
    call.hold()
    scene.reply(scene.one("INVITE"), 491)
    scene.one("ACK")
    scene.ask_in(call, "BYE", 1)
    scene.one(200)
    scene.advance(5)
    assert scene.take() == []


def test_what_was_refused_once_is_forgotten_with_the_next_success(scene):
    call = scene.established()
    call.hold()
    scene.reply(scene.one("INVITE"), 488)
    scene.one("ACK")
    assert call.status == 488
    call.hold()
    scene.reply(scene.one("INVITE"), 200, description("recvonly", 2))
    scene.one("ACK")
    assert call.status == 0
    call.hang_up()
    scene.reply(scene.one("BYE"), 200)
    assert call.status == 200


def test_which_refusals_end_the_call():
    """RFC 3261 §12.2.1.2: 408 and 481; after any other the session stands as it was (§14.1)."""
    ending = set()
    for status in (status for status in REASON if status >= 300 and status not in (401, 407)):
        scene = Scene()
        call = scene.established()
        call.hold()
        scene.reply(scene.one("INVITE"), status)
        if call.state is not CallState.ESTABLISHED:
            ending.add(status)
    assert ending == {408, 481}


def test_which_requests_a_phone_in_a_call_understands():
    understood = set()
    for method in METHODS - {"ACK", "CANCEL"}:
        scene = Scene()
        call = scene.established()
        scene.ask_in(call, method, 1)
        [answer, *_] = [message for message in scene.take() if getattr(message, "status", 0) >= 200]
        if answer.status != 405:
            understood.add(method)
    assert understood == {"INVITE", "BYE", "OPTIONS", "UPDATE", "NOTIFY"}  # a NOTIFY is of no dialog: 481


def test_a_refresh_asked_for_while_one_is_on_its_way_does_not_change_what_that_one_is(scene):
    """An offerless re-INVITE stays offerless: its 2xx has the offer, and the ACK our answer (RFC 3264 §4)."""
    call = scene.established()
    call.refresh(offerless=True)
    first = scene.one("INVITE")
    assert first.body == b""
    call.refresh()
    scene.reply(first, 200, description("sendrecv", 2))
    assert direction(scene.one("ACK")) == "sendrecv"
    assert call.session.direction == "sendrecv"
