import pytest

from tests.phone.scripted_peer import Scene, description


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_options_say_what_the_phone_can(scene):
    scene.ask("OPTIONS", "o", 1)
    answer = scene.one(200)
    assert "INVITE" in answer.get("Allow")
    assert "application/sdp" in answer.get("Accept")
    assert answer.to.tag


@pytest.mark.parametrize("method", ["BYE", "INVITE", "NOTIFY", "OPTIONS"])
def test_a_dialog_that_is_not_known_is_none(scene, method):
    scene.ask(method, "unknown", 1, "tag")
    scene.one(481)


@pytest.mark.parametrize(("method", "status"), [("BYE", 481), ("NOTIFY", 481), ("REFER", 405), ("FOO", 405)])
def test_what_makes_no_dialog_here_is_refused(scene, method, status):
    scene.ask(method, "o", 1)
    scene.one(status)


def test_an_extension_is_refused_by_name(scene):
    scene.ask("INVITE", "in", 1, "", description("sendrecv"), ("Require", "100rel, foo"))
    assert scene.one(420).get("Unsupported") == "100rel, foo"


def test_the_same_call_by_another_path_is_merged(scene):
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.one(180)
    scene.ask("INVITE", "in", 1, "", description("sendrecv"))
    scene.one(482)
    assert len(scene.phone.calls) == 1


def test_a_wrong_remote_tag_reaches_no_call(scene):
    call = scene.established()
    scene.ask("BYE", call.dialog.call_id, 1, call.dialog.local_tag, from_tag="stranger")
    scene.one(481)
    assert scene.phone.calls == [call]


def test_the_phone_never_challenges(scene):
    scene.called()
    scene.ask_in(scene.phone.calls[0], "INVITE", 2, description("sendonly", 2))
    scene.one(200)


def test_each_call_has_media_of_its_own(scene):
    scene.phone.dial("6002")
    scene.phone.dial("sip:6003@example.com")
    first, second = scene.take()
    assert second.uri == "sip:6003@example.com"
    assert first.body.split(b"m=")[1] != second.body.split(b"m=")[1]


def test_a_phone_that_is_switched_off_refreshes_nothing(scene):
    scene.phone.registration.register()
    scene.reply(scene.one("REGISTER"), 200, b"", ("Contact", "<sip:6001@192.0.2.10:5060>;expires=60"))
    scene.phone.stop()
    scene.advance(120)
    assert scene.take() == []


def test_nothing_is_left_behind(scene):
    call = scene.established()
    call.hang_up()
    scene.reply(scene.one("BYE"), 200)
    scene.advance(40)
    assert scene.phone.calls == []
    assert scene.layer.transactions() == (0, 0)
    assert scene.timers.running() == 0
