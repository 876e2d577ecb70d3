"""Whatever stands in Authorization: nothing raises, nobody passes, and nobody learns which users there are."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2bua.session_manager.authenticator import Challenge, Passed, Verdict
from b2bua.session_manager.lenient_nonces import LenientNonces
from b2bua.session_manager.user_hashes import UserHashes
from b2bua.sip.digest import parse_challenge, parse_parameters
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.errors import MalformedValue
from b2bua.sip.profiles import AVAYA, Profiles
from tests.session_manager.digest_server import BOB, REALM, Server, credentials, message
from tests.session_manager.hostile_credentials import NAMES, Template, filled, headers

KNOWN: Final = "6001"
UNKNOWN: Final = "6999"
METHODS: Final = ("REGISTER", "SUBSCRIBE", "INVITE", "MESSAGE", "BYE")
OFFERS: Final = {
    "MD5": DigestOffer(),
    "all algorithms": DigestOffer(("MD5", "SHA-256", "SHA-512-256")),
    "body and session keys": DigestOffer(("MD5", "SHA-256"), {}, ("auth", "auth-int"), True, True),
    "a user of his own": DigestOffer(("MD5",), {"6002": ("SHA-256", "MD5")}),
    "avaya": DigestOffer(),
}
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])


def made(offer: str) -> Server:
    server = Server(overrides={"BYE": "407"})
    server.authenticator._lenient = LenientNonces(server.key, lambda: server.seconds)
    server.authenticator._user_hashes = UserHashes(REALM, lambda: (KNOWN, "6002"), lambda: server.seconds)
    profiles = Profiles([AVAYA]) if offer == "avaya" else Profiles()
    server.authenticator.follow(server.authenticator._policy, OFFERS[offer], False, profiles)
    return server


def verdict_of(
    server: Server, drawn: list[tuple[str, Template]], user: str, method: str, in_dialog: bool
) -> tuple[Verdict, list[str]]:
    """What comes of the request, and the nonces that were out before."""
    out = [server.nonce(message(method), in_dialog) for _ in range(2)]
    request = message(method, cseq=2)
    for name, template in drawn:
        request.append(name, filled(template, user, method, out))
    return server.check(request, in_dialog), out


def told(verdict: Verdict) -> tuple[object, ...]:
    """All that the answer says, without the nonces, which are new each time."""
    if not isinstance(verdict, Challenge):
        return (verdict,)
    values = [value.replace(parse_challenge(value).nonce, "") for value in (verdict.header_value, *verdict.weaker)]
    return verdict.status, verdict.header_name, *values, verdict.wrong


def realm_of(line: str) -> str:
    """Of what can be read; what cannot, and has our realm's name in it, counts as ours."""
    try:
        return parse_parameters(line.partition(":")[2]).get("realm", "")
    except MalformedValue:
        return REALM if REALM in line else ""


@pytest.mark.parametrize("offer", OFFERS)
@given(drawn=headers(), method=st.sampled_from(METHODS), in_dialog=st.booleans())
@MANY
def test_nothing_raises_and_nobody_passes(offer: str, drawn: list[tuple[str, Template]], method: str, in_dialog: bool) -> None:
    server = made(offer)
    for user in (KNOWN, UNKNOWN, ""):
        assert not isinstance(verdict_of(server, drawn, user, method, in_dialog)[0], Passed)


@pytest.mark.parametrize("offer", OFFERS)
@given(drawn=headers(), method=st.sampled_from(METHODS), in_dialog=st.booleans())
@MANY
def test_a_wrong_password_and_an_unknown_user_get_the_same(
    offer: str, drawn: list[tuple[str, Template]], method: str, in_dialog: bool
) -> None:
    one, other = (told(verdict_of(made(offer), drawn, user, method, in_dialog)[0]) for user in (KNOWN, UNKNOWN))
    assert one == other
    assert "stale=true" not in str(one)


@pytest.mark.parametrize("offer", OFFERS)
@given(drawn=headers(), stolen=st.sampled_from(("BYE", "ACK", "REGISTER", "invite")), first=st.booleans())
@MANY
def test_right_credentials_of_another_method_help_nobody(
    offer: str, drawn: list[tuple[str, Template]], stolen: str, first: bool
) -> None:
    """Overheard, and put among others."""
    server = made(offer)
    out = [server.nonce(message())]
    request = message(cseq=2)
    values = [(name, filled(template, KNOWN, "INVITE", out)) for name, template in drawn]
    overheard = ("Proxy-Authorization", credentials(out[0], stolen, uri=BOB))
    for name, value in [overheard, *values] if first else [*values, overheard]:
        request.append(name, value)
    assert not isinstance(server.check(request), Passed)


@given(drawn=headers())
@MANY
def test_what_is_not_for_us_does_not_keep_the_right_ones_out(drawn: list[tuple[str, Template]]) -> None:
    """Only what names our realm can stand in the way of the credentials below it."""
    server = made("MD5")
    nonce = server.nonce()
    others = [
        (name, value)
        for name, template in drawn
        if REALM not in (value := filled(template, KNOWN, "INVITE", ["n"], "sip:6002@example.net")) and "\\" not in value
    ]
    request = message(cseq=2)
    for name, value in others:
        request.append(name, value)
    request.append("Proxy-Authorization", credentials(nonce))
    assert server.check(request) == Passed(KNOWN)


@given(drawn=headers())
@MANY
def test_no_password_of_ours_goes_on(drawn: list[tuple[str, Template]]) -> None:
    """Whatever else stands there, right credentials for our realm are taken out, in either header."""
    server = made("MD5")
    request = message(cseq=2)
    for name, template in drawn:
        request.append(name, filled(template, KNOWN, "INVITE", ["n"]))
    for name in NAMES:
        request.append(name, credentials(server.nonce()))
    before = len(request.lines)
    server.authenticator.strip(request)
    left = [line for name, line in zip(request.names, request.lines, strict=True) if name in NAMES]
    assert len(request.lines) <= before - len(NAMES)
    assert not [line for line in left if realm_of(line) == REALM]
