"""How the caller of a feature code hears that it is done: no call comes of it, so the final response says so in its reason."""

from __future__ import annotations

from b2bua.feature_server.call import Call


def confirm(call: Call, text: str) -> None:
    """It is done, as `text` says: phones show the reason phrase of a call that did not come about."""
    call.caller.respond(480, None, b"", text)
