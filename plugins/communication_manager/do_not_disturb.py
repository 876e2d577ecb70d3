"""Do not disturb: no phone of the user rings. `*78` switches it on, `*79` off.

Callers hear 486, or what the setting says; a 486 or 480 is forwarded like a phone's own.
"""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.confirmation import set_for_caller
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request

SETTING: Final = "do_not_disturb"
STATUS: Final = "do_not_disturb_status"
USUAL_STATUS: Final = 486
_WORDS: Final = ("on", "off")


class DoNotDisturb(Feature):
    """The user's own calls go out as ever."""

    codes = {SETTING: "*78", "do_not_disturb_off": "*79"}  # noqa: RUF012  # as the contract has it: nobody writes to it
    settings = {  # noqa: RUF012
        SETTING: "`on` or `off`",
        STATUS: f"what callers are told then: a status from 400 to 699; {USUAL_STATUS} unless set",
    }

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if name == SETTING:
            if value not in _WORDS:
                raise ValueError(f"{value!r} is none of {', '.join(_WORDS)}")
        elif not (value.isascii() and value.isdigit() and 400 <= int(value) <= 699):
            raise ValueError(f"{value!r} is no status from 400 to 699")

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> None:
        if argument:
            raise SipError(404).because("feature do_not_disturb: nothing belongs behind this code")
        on = name == SETTING
        set_for_caller(call, self._users, SETTING, "on" if on else "off", f"Do Not Disturb {'On' if on else 'Off'}")

    def callee_chosen(self, call: Call, leg: Leg) -> None:
        if self._users.value(leg.party, SETTING) == "on":
            raise SipError(self._users.number(leg.party, STATUS, USUAL_STATUS))
