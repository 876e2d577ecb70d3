import pytest

from b2bua.phone.registration import RETRY_SECONDS
from tests.phone.scripted_peer import Scene

CONTACT = "<sip:6001@192.0.2.10:5060>"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def granted(scene: Scene, request, seconds: int) -> None:
    scene.reply(request, 200, b"", ("Contact", f"<sip:6001@192.0.2.99>;expires=9, {CONTACT};expires={seconds}"))


def test_a_registration_is_challenged_and_granted(scene):
    registration = scene.phone.registration
    registration.register(600)
    first = scene.one("REGISTER")
    assert (first.uri, first.get("Contact"), first.get("Expires")) == ("sip:example.com", CONTACT, "600")
    scene.challenge(first, "n1", status=401)
    second = scene.one("REGISTER")
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)
    assert second.has("Authorization")
    granted(scene, second, 300)
    assert registration.expires == 300


def test_it_is_refreshed_in_time_under_the_same_call_id(scene):
    scene.phone.registration.register(600)
    first = scene.one("REGISTER")
    granted(scene, first, 600)
    scene.advance(559)
    assert scene.take() == []
    scene.advance(2)
    second = scene.one("REGISTER")
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)


def test_a_short_one_is_refreshed_at_half(scene):
    scene.phone.registration.register(60)
    granted(scene, scene.one("REGISTER"), 60)
    scene.advance(31)
    scene.one("REGISTER")


def test_too_brief_is_asked_for_longer(scene):
    scene.phone.registration.register(10)
    scene.reply(scene.one("REGISTER"), 423, b"", ("Min-Expires", "60"))
    again = scene.one("REGISTER")
    assert again.get("Expires") == "60"
    scene.reply(again, 423, b"", ("Min-Expires", "60"))
    assert scene.take() == []


def test_the_binding_is_taken_back(scene):
    registration = scene.phone.registration
    registration.register()
    granted(scene, scene.one("REGISTER"), 3600)
    registration.unregister()
    last = scene.one("REGISTER")
    assert last.get("Expires") == "0"
    scene.reply(last, 200)
    assert not registration.registered
    scene.advance(3600)
    assert scene.take() == []


def test_a_wrong_password_is_not_tried_again(scene):
    registration = scene.phone.registration
    registration.register()
    for nonce in ("n1", "n2"):
        scene.challenge(scene.one("REGISTER"), nonce, status=401)
    assert scene.take() == []
    assert (registration.registered, registration.status) == (False, 401)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [((), RETRY_SECONDS), ((("Retry-After", "10"),), 10), ((("Retry-After", "10 (busy);duration=60"),), 10)],
)
def test_a_failed_refresh_is_tried_again(scene, headers, wait):
    scene.phone.registration.register(600)
    granted(scene, scene.one("REGISTER"), 600)
    scene.advance(561)
    scene.reply(scene.one("REGISTER"), 500, b"", *headers)
    scene.advance(wait - 1)
    assert scene.take() == []
    scene.advance(1.1)
    scene.one("REGISTER")


def test_no_answer_is_told(scene):
    scene.phone.registration.register()
    scene.advance(33)
    assert scene.changes == [("registration", 408)]
    assert scene.phone.registration.status == 408
