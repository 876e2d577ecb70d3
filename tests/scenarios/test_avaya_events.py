"""The Avaya-style event packages: off unless named, and what a phone of that kind hears after it has registered."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.config.events import EVENT_PACKAGES, KNOWN_PACKAGES
from b2bua.session_manager.event_core import EventRules
from b2bua.session_manager.event_packages.package import Answer
from b2bua.sip.feature_status import CONTENT_TYPE, FeatureStatus, parse_feature_status
from b2bua.sip.message import Request
from b2bua.sip.profiles import Profiles
from tests.scenarios.events import ask, publish, refused, subscribe, told
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import ALLOWED, Options
from tests.scenarios.scene import MakeScene, Scene
from tests.scenarios.script_phone import ScriptPhone

STATUS, PROFILE = "avaya-cm-feature-status", "avaya-ccs-profile"


def link_publishes(scene: Scene, aor: str, *features: tuple[str, str], tag: str = "", expires: int = 600) -> str:
    """As by a feature server: the entity tag for the next time."""
    request = Request("PUBLISH", aor, [], [])
    for name, value in (("Event", STATUS), ("Expires", str(expires)), *([("SIP-If-Match", tag)] if tag else [])):
        request.append(name, value)
    if expires:
        request.set_body(FeatureStatus(aor, features).encode(), CONTENT_TYPE)
    answers: list[str] = []

    def respond(answer: Answer) -> None:
        answers.append(dict(answer.headers)["SIP-ETag"])

    scene.server.event_state.publish_durably(request, aor, "cm", False, respond)
    scene.server.run()
    scene.network.run()
    return answers[0]


def seen(phone: ScriptPhone) -> tuple[int, bool, dict[str, str]]:
    """Version, whether it is full, and the features."""
    body = told(phone, STATUS).body
    text = body.decode()
    version = int(text.split('version="')[2].split('"')[0])
    return version, 'state="full"' in text, dict(parse_feature_status(body).features)


def test_they_are_off_unless_they_are_named(scene: Scene) -> None:
    alice = scene.phone("6001")
    assert refused(alice, STATUS, alice.aor) == refused(alice, PROFILE, alice.aor) == 489
    assert set(KNOWN_PACKAGES) - set(EVENT_PACKAGES) == {STATUS, PROFILE}


@pytest.mark.parametrize("options", [{"profiles": ["avaya"]}, {"user_profiles": {"6001": ["avaya"]}}])
def test_avaya_users_are_offered_them_and_answered_202(make_scene: MakeScene, options: dict[str, Any]) -> None:
    """Whoever has the profile, and nobody else; Allow-Events tells what all are offered."""
    scene = make_scene(**options)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for event in (STATUS, PROFILE, "dialog"):
        answer, call = ask(alice, event, alice.aor)
        call.learn(answer)
        assert (answer.status, answer.get("Allow-Events")) == (202, ALLOWED)
        assert len(alice.notified) and told(alice, event).has("Subscription-State")
    assert scene.server.notifier.count()[STATUS] == 1
    if "user_profiles" in options:
        answer, _ = ask(bob, STATUS, bob.aor)
        assert (answer.status, answer.get("Allow-Events")) == (489, ALLOWED)
        subscribe(bob, "dialog", bob.aor)


def test_a_profile_is_followed_at_run_time(scene: Scene) -> None:
    alice = scene.phone("6001")
    assert refused(alice, STATUS, alice.aor) == 489
    scene.server.events.follow(EventRules(profiles=Profiles(["avaya"])))
    answer, _ = ask(alice, STATUS, alice.aor)
    assert answer.status == 202


def test_all_six_subscriptions_after_the_registration_stand(make_scene: MakeScene) -> None:
    """A day is asked for, an hour granted; an active NOTIFY follows each at once."""
    scene = make_scene(event_packages=KNOWN_PACKAGES)
    alice = scene.phone("6001")
    for event in (STATUS, PROFILE, "dialog", "message-summary", "reg", "presence"):
        answer, call = ask(alice, event, alice.aor, expires=86400)
        call.learn(answer)
        assert (answer.status, answer.get("Expires")) == (200, "3761" if event == "reg" else "3600")
        assert (told(alice, event).get("Subscription-State") or "").startswith("active;")
    assert seen(alice) == (0, True, {})
    profile = told(alice, PROFILE)
    assert profile.body == b"" and not profile.has("Content-Type")


def test_features_are_told_fully_and_then_as_they_change(make_scene: MakeScene) -> None:
    scene = make_scene(event_packages=KNOWN_PACKAGES)
    alice = scene.phone("6001")
    tag = link_publishes(scene, alice.aor, ("call-forwarding-all", "off"), ("send-all-calls", "off"))
    subscribe(alice, STATUS, alice.aor)
    assert seen(alice) == (0, True, {"call-forwarding-all": "off", "send-all-calls": "off"})
    scene.advance(1.1)
    tag = link_publishes(scene, alice.aor, ("call-forwarding-all", "on"), ("send-all-calls", "off"), tag=tag)
    assert seen(alice) == (1, False, {"call-forwarding-all": "on"})
    scene.advance(1.1)
    tag = link_publishes(scene, alice.aor, ("call-forwarding-all", "on"), tag=tag)
    assert seen(alice) == (2, True, {"call-forwarding-all": "on"})
    scene.advance(1.1)
    link_publishes(scene, alice.aor, tag=tag, expires=0)
    assert seen(alice) == (3, True, {})


def test_who_may_watch_and_publish(make_scene: MakeScene) -> None:
    scene = make_scene(event_packages=KNOWN_PACKAGES)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert refused(bob, STATUS, alice.aor) == refused(bob, PROFILE, alice.aor) == 403
    assert publish(alice, STATUS, CONTENT_TYPE, FeatureStatus(alice.aor).encode().decode()).status == 489
    assert publish(alice, PROFILE, "text/plain", "x").status == 489


@pytest.mark.parametrize("event", [STATUS, PROFILE])
def test_a_restart(event: str) -> None:
    scene = Scene(Options(records=KeptRecords(), event_packages=KNOWN_PACKAGES))
    alice = scene.phone("6001")
    subscribe(alice, event, alice.aor)
    link_publishes(scene, alice.aor, ("call-forwarding-all", "on"), expires=600)
    scene.advance(1.1)
    heard = len(alice.notified)
    scene.restart()
    scene.advance(1.1)
    assert len(alice.notified) == heard + 1
    cseqs = [request.cseq for request in alice.notified]
    assert cseqs == sorted(set(cseqs))
    if event == STATUS:
        assert seen(alice)[1:] == (True, {"call-forwarding-all": "on"})
    scene.advance(600)
    scene.quiet()
