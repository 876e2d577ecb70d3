"""Hostile Authorization headers, as bytes at the whole server: an answer each time, no mistake of ours, nothing told."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2bua.sip.digest import parse_challenge
from b2bua.sip.message import Message, Response
from tests.scenarios.options import DOMAIN
from tests.scenarios.scene import Scene
from tests.scenarios.script_call import ScriptCall, register_text
from tests.session_manager.hostile_credentials import Template, filled, headers

KNOWN, UNKNOWN = "6001", "6099"
TARGET = f"sip:{DOMAIN}"


def answers(user: str, method: str, drawn: list[tuple[str, Template]]) -> str:
    """What one user hears, without what differs between any two requests."""
    scene = Scene()
    phone = scene.phone(user, registered=False)
    call = ScriptCall(phone, "sip:6002@example.com")

    def send(cseq: int, *lines: str) -> Message:
        phone >> (register_text(phone, cseq, *lines) if method == "REGISTER" else call.request(method, "", *lines, cseq=cseq))
        assert len(phone.inbox) == 1, "one answer"
        return phone.inbox.popleft()

    out = send(1)
    value = out.get("WWW-Authenticate") or out.get("Proxy-Authenticate") or ""
    values = [(name, filled(template, user, method, [parse_challenge(value).nonce], TARGET)) for name, template in drawn]
    said = send(2, *(f"{name}: {value}" for name, value in values))
    assert not scene.server.errors
    assert isinstance(said, Response) and said.status in (400, 401, 407)
    return neutral(str(said), user)


def neutral(text: str, user: str) -> str:
    text = re.sub(r'nonce="[^"]*"|tag=[^;\s>]*|branch=[^;\s]*', "…", text)
    return text.replace(user, "USER").replace(f"192.0.2.{int(user) - 5990}", "HOST")


@given(drawn=headers(), method=st.sampled_from(["REGISTER", "MESSAGE", "SUBSCRIBE"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_a_wrong_password_and_an_unknown_user_get_the_same_bytes(drawn: list[tuple[str, Template]], method: str) -> None:
    assert answers(KNOWN, method, drawn) == answers(UNKNOWN, method, drawn)
