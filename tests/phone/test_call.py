import pytest

from b2bua.phone.call import CallState
from tests.phone.scripted_peer import ROUTE, Scene, description, direction, version


@pytest.fixture
def scene() -> Scene:
    return Scene()


# A call that the phone makes.


def test_a_call_is_dialled_rings_and_is_answered(scene):
    call = scene.phone.dial("6002")
    invite = scene.one("INVITE")
    assert invite.uri == "sip:6002@example.com"
    assert direction(invite) == "sendrecv"
    scene.reply(invite, 180)
    assert call.state is CallState.RINGING
    scene.reply(invite, 200, description("sendrecv"))
    ack = scene.one("ACK")
    assert (ack.cseq, ack.uri, ack.get("Route")) == (invite.cseq, "sip:6002@192.0.2.1:5060;fs=cm", ROUTE)
    assert ack.body == b"" and not ack.has("Content-Type")
    assert call.state is CallState.ESTABLISHED
    assert call.session.remote == ("192.0.2.20", 4000)


@pytest.mark.parametrize(("status", "rings"), [(180, True), (183, True), (181, False), (182, False), (199, False)])
def test_what_rings(scene, status, rings):
    call = scene.phone.dial("6002")
    scene.reply(scene.one("INVITE"), status)
    assert (call.state is CallState.RINGING) is rings


def test_a_call_that_was_hung_up_does_not_ring_any_more(scene):
    call = scene.phone.dial("6002")
    invite = scene.one("INVITE")
    call.hang_up()
    scene.reply(invite, 180)
    scene.one("CANCEL")
    assert call.state is CallState.ENDING


def test_a_challenged_invite_is_repeated_with_credentials(scene):
    scene.phone.dial("6002")
    first = scene.one("INVITE")
    scene.challenge(first, "n1")
    ack, second = scene.take()
    assert ack.method == "ACK"
    assert (second.call_id, second.from_.tag, second.cseq) == (first.call_id, first.from_.tag, first.cseq + 1)
    assert second.top_via.branch != first.top_via.branch
    assert second.body == first.body
    assert 'nonce="n1"' in second.get("Proxy-Authorization")


@pytest.mark.parametrize("status", [403, 404, 480, 486, 503, 603])
def test_a_refused_call_ends(scene, status):
    call = scene.phone.dial("6002")
    scene.reply(scene.one("INVITE"), status)
    assert (call.state, call.status) == (CallState.ENDED, status)
    assert scene.phone.calls == []


def test_a_call_that_nobody_answers_ends(scene):
    call = scene.phone.dial("6002")
    scene.advance(33)
    assert (call.state, call.status) == (CallState.ENDED, 408)


def test_hanging_up_before_the_answer_cancels(scene):
    call = scene.phone.dial("6002")
    invite = scene.one("INVITE")
    scene.reply(invite, 180)
    call.hang_up()
    cancel = scene.one("CANCEL")
    assert cancel.top_via.branch == invite.top_via.branch
    scene.reply(cancel, 200)
    scene.reply(invite, 487)
    scene.one("ACK")
    assert call.state is CallState.ENDED


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(scene):
    call = scene.phone.dial("6002")
    invite = scene.one("INVITE")
    scene.reply(invite, 180)
    call.hang_up()
    scene.one("CANCEL")
    scene.reply(invite, 200, description("sendrecv"))
    ack, bye = scene.take()
    assert (ack.method, bye.method) == ("ACK", "BYE")
    scene.reply(bye, 200)
    assert call.state is CallState.ENDED


def test_a_challenge_that_crosses_the_cancel_is_not_answered(scene):
    call = scene.phone.dial("6002")
    invite = scene.one("INVITE")
    scene.reply(invite, 100)
    call.hang_up()
    scene.one("CANCEL")
    scene.challenge(invite, "n1")
    scene.one("ACK")
    assert call.state is CallState.ENDED


def test_a_call_without_an_offer_answers_in_the_ack(scene):
    call = scene.phone.dial("6002", offerless=True)
    invite = scene.one("INVITE")
    assert invite.body == b""
    scene.reply(invite, 200, description("sendrecv"))
    ack = scene.one("ACK")
    assert (direction(ack), ack.get("Content-Type")) == ("sendrecv", "application/sdp")
    assert call.session.sends


def test_an_answer_that_is_none_ends_the_call(scene):
    call = scene.phone.dial("6002")
    scene.reply(scene.one("INVITE"), 200, b"no sdp")
    ack, bye = scene.take()
    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert call.state is CallState.ENDING


def test_a_repeated_200_is_acknowledged_again(scene):
    scene.phone.dial("6002")
    invite = scene.one("INVITE")
    scene.reply(invite, 200, description("sendrecv"))
    scene.one("ACK")
    scene.reply(invite, 200, description("sendrecv"))
    scene.one("ACK")


def test_bye_ends_the_call_and_is_authenticated_when_challenged(scene):
    """drachtio-server issue 190."""
    call = scene.established()
    call.hang_up()
    bye = scene.one("BYE")
    scene.challenge(bye, "n2")
    again = scene.one("BYE")
    assert again.cseq == bye.cseq + 1
    assert 'nonce="n2"' in again.get("Proxy-Authorization")
    scene.reply(again, 200)
    assert call.state is CallState.ENDED


def test_a_bye_of_the_peer_ends_the_call(scene):
    call = scene.established()
    scene.ask_in(call, "BYE", 1)
    scene.one(200)
    assert call.state is CallState.ENDED
    assert not call.session.sends


def test_crossing_byes_end_the_call_once(scene):
    call = scene.established()
    call.hang_up()
    bye = scene.one("BYE")
    scene.ask_in(call, "BYE", 1)
    scene.one(200)
    scene.reply(bye, 481)
    assert [what for what in scene.changes if what == ("call", CallState.ENDED)] == [("call", CallState.ENDED)]


# A call that comes in.


def test_a_call_rings_until_it_is_answered_by_command(scene):
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    ringing = scene.one(180)
    assert ringing.get("Record-Route") == ROUTE
    (call,) = scene.phone.calls
    call.answer()
    answer = scene.one(200)
    assert direction(answer) == "sendrecv"
    assert answer.to.tag == ringing.to.tag == call.dialog.local_tag
    assert call.session.sends


def test_a_call_is_answered_after_a_delay(scene):
    scene.phone.answer_after = 2.0
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.one(180)
    scene.advance(1.9)
    assert scene.take() == []
    scene.advance(0.2)
    scene.one(200)


def test_a_200_is_repeated_until_its_ack(scene):
    scene.phone.answer_after = 0.0
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.take()
    (call,) = scene.phone.calls
    scene.advance(1.7)
    assert len(scene.take()) == 2
    scene.ask_in(call, "ACK", 1)
    scene.advance(5)
    assert scene.take() == []


def test_a_200_that_nobody_acknowledges_ends_in_bye(scene):
    scene.phone.answer_after = 0.0
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    (call,) = scene.phone.calls
    scene.advance(32.5)
    assert scene.take()[-1].method == "BYE"
    assert (call.state, call.status) == (CallState.ENDING, 408)


def test_hanging_up_waits_for_the_ack(scene):
    """RFC 3261 §15: the callee sends no BYE before the ACK."""
    scene.phone.answer_after = 0.0
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.take()
    (call,) = scene.phone.calls
    call.hang_up()
    assert scene.take() == []
    scene.ask_in(call, "ACK", 1)
    scene.one("BYE")


def test_a_cancelled_call_stops_ringing(scene):
    invite = scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.one(180)
    (call,) = scene.phone.calls
    cancel = invite.copy()
    cancel.method = "CANCEL"
    cancel.replace("CSeq", "1 CANCEL")
    scene.deliver(cancel)
    assert [message.status for message in scene.take()] == [200, 487]
    assert call.state is CallState.ENDED


def test_a_call_is_rejected(scene):
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.one(180)
    scene.phone.calls[0].reject(603)
    scene.one(603)
    assert scene.phone.calls == []


def test_an_offer_that_cannot_be_met_is_refused(scene):
    scene.phone.answer_after = 0.0
    scene.ask("INVITE", "in", 1, "", b"no sdp")
    assert [message.status for message in scene.take()] == [180, 488]
    assert scene.phone.calls == []


def test_a_call_without_an_offer_gets_ours_and_the_answer_in_the_ack(scene):
    scene.phone.answer_after = 0.0
    scene.ask("INVITE", "in", 1)
    _, answer = scene.take()
    assert direction(answer) == "sendrecv"
    (call,) = scene.phone.calls
    assert not call.session.sends
    scene.ask_in(call, "ACK", 1, description("sendrecv"))
    assert call.session.sends


# In a call.


def test_a_request_out_of_order_is_refused(scene):
    call = scene.established()
    scene.ask_in(call, "OPTIONS", 5)
    scene.one(200)
    scene.ask_in(call, "INVITE", 4, description("sendonly", 2))
    scene.one(500)
    assert call.session.direction == "sendrecv"


@pytest.mark.parametrize(
    ("body", "status", "target"),
    [(description("sendonly", 2), 200, "sip:6002@192.0.2.1:5060;fs=cm"), (b"no sdp", 488, "sip:6002@192.0.2.9")],
)
def test_a_reinvite_moves_the_target_if_it_is_taken(scene, body, status, target):
    """RFC 6141 §4.1."""
    call = scene.established()
    call.dialog.remote_target = "sip:6002@192.0.2.9"
    scene.ask_in(call, "INVITE", 1, body)
    scene.one(status)
    scene.ask_in(call, "ACK", 1)
    assert call.dialog.remote_target == target
    assert call.session.sends is (status != 200)


def test_an_unknown_method_is_refused(scene):
    call = scene.established()
    scene.ask_in(call, "INFO", 1)
    assert "INVITE" in scene.one(405).get("Allow")


def test_a_refresh_has_the_bytes_of_the_last_offer(scene):
    call = scene.phone.dial("6002")
    invite = scene.one("INVITE")
    scene.reply(invite, 200, description("sendrecv"))
    scene.take()
    call.refresh()
    again = scene.one("INVITE")
    assert again.body == invite.body
    assert version(again) == version(invite)
    scene.reply(again, 200, description("sendrecv"))
    scene.one("ACK")
