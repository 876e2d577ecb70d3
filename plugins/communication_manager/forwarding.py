"""Call forwarding unconditional, busy and no answer (RFC 5359 §2.7, §2.8, §2.9), and phones that forward by a 3xx.

`*72` and a number switch it on for all calls, `*73` off; `*90` and `*91` for calls that meet a busy phone, `*92` and `*93`
for those that nobody answers in time, or whose phone is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CONFIRMED, EARLY, TRYING
from b2bua.feature_server.confirmation import set_for_caller
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.diversion import BUSY, DEFLECTED, NO_ANSWER, UNCONDITIONAL, UNREACHABLE
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.hunt import Hunts
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.leg_timers import LegTimers
from b2bua.feature_server.on_behalf import address_in_domain
from b2bua.feature_server.target import target_uri
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.message import Request, Response

ALWAYS: Final = "forward_always"
ON_BUSY: Final = "forward_busy"
ON_SILENCE: Final = "forward_no_answer"
SECONDS: Final = "forward_no_answer_seconds"
FOLLOW: Final = "follow_redirects"
USUAL_SECONDS: Final = 20
_MOST_SECONDS: Final = 600
_FOLLOWED: Final = ("domain", "all", "none")
_OFF: Final = "_off"


class Forwarding(Feature):
    """Where a forwarded call is refused, or nobody is left to take it, the caller hears the last answer."""

    codes = {  # noqa: RUF012  # as the contract has it: nobody writes to it
        ALWAYS: "*72", ALWAYS + _OFF: "*73", ON_BUSY: "*90", ON_BUSY + _OFF: "*91", ON_SILENCE: "*92", ON_SILENCE + _OFF: "*93",
    }  # fmt: skip
    settings = {  # noqa: RUF012
        ALWAYS: "where all calls go: a number, a name or a URI",
        ON_BUSY: "where calls go that meet a busy phone",
        ON_SILENCE: "where calls go that nobody answers, or whose phone is not there",
        SECONDS: f"after how many seconds nobody answers; {USUAL_SECONDS} unless set",
        FOLLOW: "whether a phone may forward by a 3xx: to users of the `domain` (unless set), to `all`, to `none`",
    }

    def __init__(self, environment: Environment) -> None:
        self._domain = environment.domain
        self._users = environment.users
        self._hunts = Hunts(environment)
        self._patience = LegTimers(environment)

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if name == SECONDS:
            if not (value.isascii() and value.isdigit() and 1 <= int(value) <= _MOST_SECONDS):
                raise ValueError(f"{value!r} is no number of seconds from 1 to {_MOST_SECONDS}")
        elif name == FOLLOW:
            if value not in _FOLLOWED:
                raise ValueError(f"{value!r} is none of {', '.join(_FOLLOWED)}")
        else:
            target_uri(value, "example.com")

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> None:
        setting = name.removesuffix(_OFF)
        if setting != name:
            if argument:
                raise SipError(404).because("feature forwarding: nothing belongs behind this code")
            set_for_caller(call, self._users, setting, "", "Forwarding Off")
            return
        try:
            uri = target_uri(argument, self._domain)
        except ValueError:
            raise SipError(484).because("feature forwarding: {} is no number", argument or "nothing") from None
        if uri == call.caller.party:
            raise SipError(403, "Forwarding To Yourself")
        set_for_caller(call, self._users, setting, argument, f"Forwarding To {argument}")

    def callee_chosen(self, call: Call, leg: Leg) -> None:
        target = self._target(leg, ALWAYS)
        if target:
            call.redirect([target], UNCONDITIONAL, leg)
        elif self._target(leg, ON_SILENCE):
            seconds = self._users.number(leg.party, SECONDS, USUAL_SECONDS)
            self._patience.start(leg, seconds, partial(self._unanswered, call, leg))

    def callee_refused(self, call: Call, leg: Leg, status: int, response: Response | None) -> None:
        """Where the way on is none (in a circle, for one), the caller hears what this party said."""
        target = cause = None
        if status in (486, 600):
            target, cause = self._target(leg, ON_BUSY), BUSY
        elif status in (408, 480):
            target, cause = self._target(leg, ON_SILENCE), NO_ANSWER if status == 408 else UNREACHABLE
        elif response is not None and 300 <= status < 400:
            self._follow(call, leg, response)
        if target and cause:
            with suppress(SipError):
                call.redirect([target], cause, leg)
        elif status < 600:
            self._hunts.refused(call, leg, status)

    def callee_left(self, call: Call, leg: Leg) -> None:
        self._patience.stop(leg)

    def call_changed(self, call: Call) -> None:
        if call.state == CONFIRMED:
            self._forget(call)

    def call_ended(self, call: Call) -> None:
        self._forget(call)

    def _unanswered(self, call: Call, leg: Leg) -> None:
        target = self._target(leg, ON_SILENCE)  # as it is by now
        if target and call.state in (TRYING, EARLY):
            with suppress(SipError):  # in a circle: it rings on
                call.redirect([target], NO_ANSWER, leg)

    def _follow(self, call: Call, leg: Leg, response: Response) -> None:
        """Where the phone sends the call, the contacts that it prefers first (RFC 3261 §8.1.3.4)."""
        how = self._users.value(leg.party, FOLLOW) or _FOLLOWED[0]
        groups = self._groups(leg, response, how == "all") if how != "none" else []
        if groups:
            with suppress(SipError):
                call.redirect(groups[0], DEFLECTED, leg)
                self._hunts.begin(call, groups[1:])

    def _groups(self, leg: Leg, response: Response, everywhere: bool) -> list[Sequence[str]]:
        """The contacts of a 3xx by q; strangers of other domains are left out unless `everywhere`."""
        found: dict[float, list[str]] = {}
        for value in response.elements("Contact"):
            try:
                contact = parse_address(value)
                uri = address_in_domain(leg, contact.parsed_uri())
            except MalformedValue:
                continue
            if uri.scheme in ("sip", "sips") and uri.user and (everywhere or uri.bare_host == self._domain):
                plain = uri._replace(headers="", parameters="" if uri.bare_host == self._domain else uri.parameters)
                found.setdefault(_preference(contact.parameter("q")), []).append(str(plain))
        return [found[q] for q in sorted(found, reverse=True)]

    def _target(self, leg: Leg, name: str) -> str:
        value = self._users.value(leg.party, name)
        if not value:
            return ""
        try:
            return target_uri(value, self._domain)
        except ValueError:  # written by another program
            return ""

    def _forget(self, call: Call) -> None:
        self._hunts.forget(call)
        self._patience.stop(call.callee)


def _preference(text: str | None) -> float:
    """The q of a contact; 1 where it says none that can be read (RFC 3261 §20.10)."""
    try:
        q = float(text) if text else 1.0
    except ValueError:
        return 1.0
    return q if 0.0 <= q <= 1.0 else 1.0
