"""Why a lamp is lit, as a table: for each address of record who published what, who watches, and what each was told last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.notifier import Notifier
from b2bua.session_manager.publication import Publication
from b2bua.session_manager.subscription import Subscription
from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant
from b2bua.transaction.timers import Timers

MAX_ROWS: Final = 1_000
"""Addresses of record and event packages listed at most: a table for eyes."""


def standing_events(
    state: EventState, notifier: Notifier, timers: Timers, name_of: Callable[[str], str]
) -> list[dict[str, Any]]:
    """A row for each package and address of record that is published for or watched. `name_of`: trace id of a call, or
    Call-ID of a leg → its name to the outside."""
    now = timers.now()
    published: dict[tuple[str, str], list[Any]] = {}
    for publication in state.all():
        published.setdefault(publication.resource, []).append(_publication(publication, now, name_of))
    watched: dict[tuple[str, str], list[Any]] = {}
    for subscription in notifier.all():
        watched.setdefault((subscription.package.name, subscription.aor), []).append(_subscription(subscription, now))
    return [
        {
            "package": resource[0], "aor": resource[1],
            "publications": published.get(resource, []), "subscriptions": watched.get(resource, []),
        }
        for resource in sorted(published.keys() | watched.keys())[:MAX_ROWS]
    ]  # fmt: skip


def _publication(publication: Publication, now: float, name_of: Callable[[str], str]) -> dict[str, Any]:
    value = publication.value
    return {
        "by": publication.link or "phone", "seconds_left": round(max(publication.expires_at - now, 0.0), 1),
        "call": name_of(publication.call) if publication.call else "",
        "dialogs": [_dialog(dialog) for dialog in value.dialogs] if isinstance(value, DialogInfo) else None,
    }  # fmt: skip


def _dialog(dialog: DialogState) -> dict[str, Any]:
    return {
        "state": dialog.state, "direction": dialog.direction, "event": dialog.event, "call_id": dialog.call_id,
        "local": _participant(dialog.local), "remote": _participant(dialog.remote),
    }  # fmt: skip


def _participant(one: Participant) -> dict[str, str]:
    return {"identity": one.identity, "target": one.target, "rendering": one.rendering}


def _subscription(subscription: Subscription, now: float) -> dict[str, Any]:
    cseq = subscription.dialog.local_cseq
    return {
        "watcher": subscription.watcher, "event": subscription.event, "listener": subscription.flow.listener,
        "address": "{}:{}".format(*subscription.flow.remote),
        "seconds_left": round(max(subscription.expires_at - now, 0.0), 1),
        "cseq": cseq, "version": max(cseq - 1, 0), "answer": subscription.answer, "under_way": subscription.under_way,
        "waits": subscription.waits,
    }  # fmt: skip
