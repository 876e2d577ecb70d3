"""Feature codes: what a user dials to have something done, and what stays of it over a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import MakeScene, Scene, called, idle, invite, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

MOOD = '''
"""A user's mood: set by *55 and a word's number, taken back by *56; callers of a user with one are told."""

from b2bua.feature_server.confirmation import confirm
from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError


class Mood(Feature):
    codes = {"mood": "*55", "mood_off": "*56", "mood_slowly": "*57"}
    settings = {"mood": "how the user feels"}

    def __init__(self, environment):
        self.users = environment.users

    def call_offered(self, call, invite):
        mood = self.users.value(call.callee.party, "mood")
        if not mood:
            return invite
        changed = invite.copy()
        changed.append("Subject", mood)
        return changed

    async def code_dialled(self, call, name, argument, invite):
        user = self.users.user_of(call.caller.party)
        if name == "mood_slowly":
            await call.sleep(2)
        elif name == "mood" and not argument:
            raise SipError(484)
        self.users.put(user, "mood", argument)
        confirm(call, f"Mood {argument or 'off'}")
'''

CodeScene = Callable[..., Scene]


@pytest.fixture
def with_codes(make_scene: MakeScene, tmp_path: Path) -> CodeScene:
    (tmp_path / "mood.py").write_text(MOOD)

    def make(**options: object) -> Scene:
        return make_scene(features=("mood", "hold", "lamps"), feature_directory=tmp_path, **options)

    return make


def dial(phone: ScriptPhone, digits: str, answer: str) -> str:
    """The code is dialled and answered so; the reason phrase."""
    a = called(phone, f"sip:{digits}@example.com")
    final = phone << f"{answer} INVITE"
    phone >> a.ack(final)
    return final.reason


def refused(a: ScriptCall, b: ScriptCall, arrived: Message) -> None:
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def test_a_code_does_what_its_feature_says(with_codes: CodeScene) -> None:
    scene = with_codes()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert dial(bob, "*5542", "480") == "Mood 42"
    a, b, arrived = invite(alice, bob)
    assert arrived.get("Subject") == "42"
    refused(a, b, arrived)
    assert scene.server.user_settings.of("6002") == {"mood": "42"}
    assert dial(bob, "*56", "480") == "Mood off"
    assert scene.server.user_settings.of("6002") == {}


def test_a_code_may_be_escaped(with_codes: CodeScene) -> None:
    scene = with_codes(codes={"mood": "#1"})
    bob = scene.phone("6002")
    assert dial(bob, "%237", "404") == "Not Found"
    assert dial(bob, "%2317", "480") == "Mood 7"
    assert dial(bob, "#18", "480") == "Mood 8"  # as it must not be written, and is
    assert dial(bob, "*5542", "404") == "Not Found"
    assert scene.server.user_settings.of("6002") == {"mood": "8"}


def test_a_code_without_its_argument_is_incomplete(with_codes: CodeScene) -> None:
    scene = with_codes()
    bob = scene.phone("6002")
    assert dial(bob, "*55", "484") == "Address Incomplete"


def test_what_begins_with_no_code_is_called(with_codes: CodeScene) -> None:
    scene = with_codes()
    bob = scene.phone("6002")
    assert dial(bob, "*99", "404") == "Not Found"
    assert dial(bob, "*5", "404") == "Not Found"


def test_the_callers_lamp_shows_the_code_and_nobody_elses(with_codes: CodeScene) -> None:
    scene = with_codes()
    bob = scene.phone("6002")
    w = watch(bob, bob)
    scene.advance(2)
    b = called(bob, "sip:*571@example.com")
    scene.advance(1.1)
    [dialog] = bob.lamp.dialogs
    assert (dialog.state, dialog.direction, dialog.remote.identity) == ("trying", "initiator", "sip:*571@example.com")
    scene.advance(1)
    bob >> b.ack(bob << "480 INVITE")
    idle(scene, w)
    published = {message.uri for message in scene.linked("CM", "SM", "PUBLISH") if hasattr(message, "uri")}
    assert published <= {"sip:6002@example.com"}


def test_who_hangs_up_while_the_code_is_worked_on_is_rid_of_it(with_codes: CodeScene) -> None:
    scene = with_codes()
    bob = scene.phone("6002")
    b = called(bob, "sip:*571@example.com")
    scene.advance(1)
    bob >> b.cancel()
    bob << "200 CANCEL"
    bob >> b.ack(bob << "487 INVITE")
    scene.advance(3)
    bob.hears_nothing()


def test_what_a_user_has_set_is_there_after_a_restart(make_scene: MakeScene, with_codes: CodeScene) -> None:
    scene = with_codes()
    bob = scene.phone("6002")
    assert dial(bob, "*5542", "480") == "Mood 42"
    durable = scene.server.records is not None and not scene.server.remotes
    scene.restart()
    assert scene.server.user_settings.of("6002") == ({"mood": "42"} if durable else {})


def test_defaults_are_for_everybody(with_codes: CodeScene) -> None:
    scene = with_codes(user_defaults={"mood": "calm"})
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    assert arrived.get("Subject") == "calm"
    refused(a, b, arrived)
