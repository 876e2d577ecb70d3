"""Find-me (RFC 5359 §2.12): a call goes to other places of its callee, one after another or all at once.

The setting `find_me` is a list of steps, separated by commas, each of numbers that ring together, joined by `&`. The user's
own phones are the first step; a list that begins with `&` rings its first step with them:
`6003,6004&+4930123` asks 6003, then two together; `&6003` rings 6003 at once.

`*37` and numbers separated by `*` switch it on, one after another; `*38` all together; `*39` off.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.confirmation import set_for_caller
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.hunt import Hunts
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.target import target_uri
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response

SETTING: Final = "find_me"
SECONDS: Final = "find_me_seconds"
USUAL_SECONDS: Final = 15
_MOST_SECONDS: Final = 600
_TOGETHER: Final = "find_me_together"


class FindMe(Feature):
    """A callee that declines (6xx) ends the search."""

    codes = {SETTING: "*37", _TOGETHER: "*38", "find_me_off": "*39"}  # noqa: RUF012  # as the contract has it
    settings = {  # noqa: RUF012
        SETTING: "where else the user is looked for: steps separated by commas, in a step numbers joined by &",
        SECONDS: f"how long each step rings, in seconds; {USUAL_SECONDS} unless set",
    }

    def __init__(self, environment: Environment) -> None:
        self._domain = environment.domain
        self._users = environment.users
        self._hunts = Hunts(environment)

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if name == SETTING:
            steps_of(value, "example.com")
        elif not (value.isascii() and value.isdigit() and 1 <= int(value) <= _MOST_SECONDS):
            raise ValueError(f"{value!r} is no number of seconds from 1 to {_MOST_SECONDS}")

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> None:
        if name not in (SETTING, _TOGETHER):
            if argument:
                raise SipError(404).because("feature find_me: nothing belongs behind this code")
            set_for_caller(call, self._users, SETTING, "", "Find-Me Off")
            return
        numbers = argument.split("*")
        value = ",".join(numbers) if name == SETTING else "".join(f"&{number}" for number in numbers)
        try:
            steps_of(value, self._domain)
        except ValueError:
            raise SipError(484).because("feature find_me: {} are no numbers", argument) from None
        set_for_caller(call, self._users, SETTING, value, f"Find-Me: {' '.join(numbers)}")

    def callee_chosen(self, call: Call, leg: Leg) -> None:
        value = self._users.value(leg.party, SETTING)
        if not value:
            return
        try:
            together, steps = steps_of(value, self._domain)
        except ValueError:  # written by another program
            return
        seconds = self._users.number(leg.party, SECONDS, USUAL_SECONDS)
        if self._hunts.begin(call, steps[1:] if together else steps, seconds) and together:
            with suppress(SipError):  # none of them can be reached: the user's own phones ring
                call.ring_also(steps[0], leg)

    def callee_refused(self, call: Call, leg: Leg, status: int, response: Response | None) -> None:
        if status < 600:
            self._hunts.refused(call, leg, status)

    def call_changed(self, call: Call) -> None:
        if call.state == CONFIRMED:
            self._hunts.forget(call)

    def call_ended(self, call: Call) -> None:
        self._hunts.forget(call)


def steps_of(value: str, domain: str) -> tuple[bool, list[list[str]]]:
    """Whether the first step rings with the user's own phones, and the URIs of each step; ValueError for what is no list."""
    together = value.startswith("&")
    return together, [[target_uri(text, domain) for text in step.split("&")] for step in value.removeprefix("&").split(",")]
