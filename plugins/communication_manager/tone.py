"""Tone and announcement: whoever dials their codes hears a steady tone, or what a WAV file says, again and again.

A number behind the code of the tone is its frequency in hertz: `*441000`.
"""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.media_source import ECHO, check_source
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request

USUAL: Final = "440"
"""Hertz."""


class Tone(Feature):
    """Ends when the caller hangs up."""

    codes = {"tone": "*44", "announcement": "*45"}  # noqa: RUF012  # as the contract has it: nobody writes to it
    settings = {"announcement": "what is heard at the announcement's code: file:PATH, melody, tone:HERTZ"}  # noqa: RUF012

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if check_source(value) == ECHO:
            raise ValueError("an announcement that says what it hears is an echo test")

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> Request:
        source = f"tone:{argument or USUAL}" if name == "tone" else self._users.value(call.caller.party, "announcement")
        if not source or (argument and name != "tone"):
            raise SipError(404, "Nothing To Play").because("feature tone: there is nothing to be played by this code")
        try:
            check_source(source)
        except ValueError:
            raise SipError(484, "No Such Tone") from None
        call.answer(source)
        return invite
