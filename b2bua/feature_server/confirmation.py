"""How the caller of a feature code hears that it is done: no call comes of it, so the final response says so in its reason."""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.user_settings import UserSettings
from b2bua.sip.errors import SipError
from b2bua.sip.why import Why

DONE: Final[Why] = (None, "B2BUA: the code has been carried out, as the reason phrase says: no call comes of it")
NOT_KEPT: Final[Why] = (None, "store: it does not take the setting now")


def confirm(call: Call, text: str) -> None:
    """It is done, as `text` says: phones show the reason phrase of a call that did not come about."""
    call.caller.respond(480, None, b"", text, why=DONE)


def set_for_caller(call: Call, users: UserSettings, name: str, value: str, text: str) -> None:
    """Set this setting of whoever dialled the code, and confirm it once it is kept; SipError 403 for who is no user."""
    user = users.user_of(call.caller.party)
    if not user:
        raise SipError(403).because("owner: a code is for users of this domain")

    def kept(kept: bool) -> None:
        if kept:
            confirm(call, text)
        else:
            call.caller.respond(500, None, b"", "Store Unavailable", why=NOT_KEPT)

    users.put(user, name, value, kept)
