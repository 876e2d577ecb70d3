"""One state of a whole phone in a dialog-info document, as Asterisk tells it (profile `asterisk`).

Asterisk knows devices, not dialogs: the document has one `<dialog>`, its id is the extension, without Call-ID and tags. Who calls
out is busy at once, who rings while he talks only talks, and "on hold" is said of the party that is held, once all its calls are.
"""

from __future__ import annotations

from typing import Final

from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant
from b2bua.sip.uri import parse_uri

_BEFORE_RINGING: Final = frozenset(("trying", "proceeding"))


def phone_state(document: DialogInfo) -> DialogInfo:
    """The document about the phone that this one about its dialogs makes."""
    ringing: list[DialogState] = []
    in_use: list[DialogState] = []
    for dialog in document.dialogs:
        called = dialog.direction == "recipient"
        if dialog.state == "terminated" or (called and dialog.state in _BEFORE_RINGING):
            continue
        (ringing if called and dialog.state == "early" else in_use).append(dialog)
    entity = document.entity
    state = DialogState(parse_uri(entity).username or "phone", "terminated")
    if in_use:
        on_hold = not ringing and all(dialog.remote.rendering == "no" for dialog in in_use)
        held = Participant(target=entity, rendering="no") if on_hold else Participant()
        state = state._replace(state="confirmed", local=held)
    elif ringing:
        caller = ringing[0].remote
        state = state._replace(
            state="early", direction="recipient", local=Participant(entity, entity),
            remote=Participant(caller.identity, caller.identity, display=caller.display),
        )  # fmt: skip
    return DialogInfo(entity, (state,))
