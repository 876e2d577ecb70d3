"""Every event that the log can have: its area and level, its fields, and what it says. `b2bua config events` prints it.

Whoever logs says only `log("event", field=value)`: area and level stand here, so that both are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

Say = Callable[..., object]
"""`log("event", field=value)`: what whoever logs is handed. Raises nothing, and takes no notice of levels that are off."""



def quiet(event: str, /, **_fields: object) -> None:
    """The log of whoever has none."""


DEBUG: Final = "debug"
INFO: Final = "info"
WARNING: Final = "warning"
ERROR: Final = "error"
LEVELS: Final = (DEBUG, INFO, WARNING, ERROR)
"""The lowest first."""

AREAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "process": "start, end, settings, mistakes of this program",
        "transport": "listeners, connections, names, messages that cannot be read",
        "access": "credentials and bans",
        "registrations": "phones and their contacts",
        "calls": "calls, from the INVITE to the end",
        "features": "features of the feature server",
        "events": "subscriptions",
        "entities": "trunks, next hops, feature servers and rtpengine",
        "media": "what the server itself plays and hears",
        "load": "overload and draining",
        "faults": "faults on purpose",
        "store": "the database",
        "cdr": "the file of call detail records",
        "http": "metrics, API, console",
    }
)

ALL: Final = "all"
"""In place of an area: every one that has no level of its own."""


class Event(NamedTuple):
    """One kind of event."""

    area: str
    level: str
    meaning: str
    fields: tuple[str, ...] = ()
    """What may stand beside `time`, `level`, `area` and `event`."""
    per_minute: int = 0
    """So many lines a minute at most; those left out are counted in the field `suppressed` of the next one. 0: any number."""


PEERS: Final = 60
"""For what somebody outside can cause as often as they like."""
OURS: Final = 600
"""For what no peer decides, and that could still come with every message."""

_PROCESS: Final = {
    "ready": Event("process", INFO, "Everything is open: the server can be used.", ("name", "version", "open")),
    "first_users_made": Event("process", INFO, "An empty store got its first users; their passwords are in a file.", ("path",)),
    "reloaded": Event("process", INFO, "Settings, users and features were read again.", ("changed",)),
    "restart_needed": Event("process", WARNING, "Settings have changed that only a restart follows.", ("settings",)),
    "reload_failed": Event(
        "process", ERROR, "Settings could not be followed: everything stays as it was.", ("reason", "exception")
    ),
    "internal_error": Event(
        "process", ERROR, "A mistake of this program, or of a feature: it ended what it came up in, nothing else.",
        ("call", "method", "feature", "exception"), OURS,
    ),
    "unhandled_error": Event("process", ERROR, "A mistake that nothing of ours has caught.", ("text", "exception"), OURS),
}  # fmt: skip

_TRANSPORT: Final = {
    "message_failed": Event("transport", ERROR, "What came in could not be handled: our mistake.", ("peer", "exception"), OURS),
    "message_unreadable": Event(
        "transport", WARNING, "A message that is not SIP as RFC 3261 has it; it was refused or dropped.", ("peer", "reason"),
        PEERS,
    ),
    "connection_opened": Event("transport", DEBUG, "A connection stands.", ("peer", "transport", "accepted")),
    "connection_closed": Event("transport", DEBUG, "A connection is gone.", ("peer", "transport", "accepted")),
    "name_unanswered": Event("transport", WARNING, "The DNS gave no answer.", ("name", "kind"), PEERS),
    "name_leads_nowhere": Event("transport", WARNING, "There is no way to a host.", ("name",), PEERS),
    "request_too_long_for_udp": Event(
        "transport", INFO, "A request goes by TCP, as it is too long for a datagram (RFC 3261 §18.1.1).", ("peer", "size"), PEERS
    ),
    "no_tcp_to_peer": Event(
        "transport", INFO, "A peer took no connection: long requests go to it by UDP all the same.", ("peer", "size"), PEERS
    ),
}  # fmt: skip

_ACCESS: Final = {
    "credentials_wrong": Event(
        "access", WARNING, "Digest credentials that no password of that user makes, or of no user.", ("user", "peer", "method"),
        PEERS,
    ),
    "source_banned": Event("access", WARNING, "The credentials of a source kept being wrong.", ("peer", "seconds"), PEERS),
    "ban_lifted": Event("access", WARNING, "A ban was lifted by hand.", ("peer",)),
    "account_unreadable": Event(
        "access", ERROR, "An account of the console or API opens nothing: its record cannot be understood.",
        ("kind", "name", "reason"), OURS,
    ),
    "log_ins_limited": Event(
        "access", WARNING, "Log-ins from an address are refused: too many were wrong.", ("peer", "seconds"), PEERS
    ),
    "owner_token_unwritten": Event(
        "access", WARNING, "Commands on this machine find no token: its file could not be written.", ("path", "reason")
    ),
    "trunk_refuses_credentials": Event("access", WARNING, "A trunk does not take our credentials.", ("entity",), PEERS),
    "trunk_realm_unknown": Event(
        "access", WARNING, "A trunk asks for credentials of another realm than its entity has.", ("entity", "realm"), PEERS
    ),
}  # fmt: skip

_CALLS: Final = {
    "registered": Event("registrations", DEBUG, "A user is registered, with so many contacts.", ("user", "peer", "contacts")),
    "unregistered": Event("registrations", DEBUG, "A user has taken back the last contact.", ("user", "peer")),
    "contact_silent": Event("registrations", INFO, "A phone behind NAT has stopped answering.", ("user", "peer")),
    "contact_answers": Event("registrations", INFO, "A phone behind NAT answers again.", ("user", "peer")),
    "subscriptions_restored": Event("events", INFO, "Subscriptions from before the restart go on.", ("number",)),
    "call_offered": Event("calls", DEBUG, "A call begins.", ("call", "user", "callee")),
    "call_answered": Event("calls", DEBUG, "A call stands.", ("call", "user", "callee", "seconds")),
    "call_held": Event("calls", DEBUG, "A party holds.", ("call", "user")),
    "call_resumed": Event("calls", DEBUG, "Nobody holds any more.", ("call",)),
    "call_ended": Event("calls", DEBUG, "A call is over.", ("call", "user", "callee", "result", "seconds")),
    "feature_said": Event(
        "features", INFO, "What a feature of your own tells (plugins/README.md).", ("call", "user", "feature", "text"), OURS
    ),
    "feature_blocks": Event("features", WARNING, "A feature holds everybody up.", ("feature", "at")),
    "feature_blocked": Event(
        "features", WARNING, "A feature has held everybody up; `ended`: it was stopped.", ("feature", "at", "seconds", "ended")
    ),
}  # fmt: skip

_OTHERS: Final = {
    "feature_server_found": Event("entities", INFO, "A feature server elsewhere answers.", ("entity",)),
    "feature_server_lost": Event("entities", WARNING, "It does not.", ("entity",)),
    "session_manager_found": Event("entities", INFO, "Of a feature server: Session Manager answers."),
    "session_manager_lost": Event("entities", WARNING, "It does not."),
    "trunk_found": Event("entities", WARNING, "A watched trunk answers again.", ("entity",)),
    "trunk_lost": Event("entities", WARNING, "It does not.", ("entity",)),
    "next_hop_failed": Event(
        "entities", WARNING, "An address that a name led to did not serve a request: it comes last for some seconds.",
        ("peer", "name", "transport", "reason", "seconds"), PEERS,
    ),
    "rtpengine_forgot": Event("entities", WARNING, "rtpengine has forgotten a call; its phones are asked anew.", ("call",)),
    "rtpengine_found": Event("entities", INFO, "rtpengine answers."),
    "rtpengine_lost": Event("entities", WARNING, "It does not."),
    "rtpengine_refuses": Event("entities", WARNING, "rtpengine refuses a command.", ("call", "command", "reason"), PEERS),
    "rtpengine_unreachable": Event("entities", WARNING, "rtpengine cannot be asked.", ("reason",), PEERS),
    "rtpengine_unreadable": Event("entities", WARNING, "rtpengine says what cannot be read.", ("reason",), PEERS),
    "media_unplayable": Event("media", WARNING, "A source of media cannot be played.", ("reason",), PEERS),
    "no_media_port": Event("media", WARNING, "No media port is free.", ("open",), PEERS),
    "overloaded": Event("load", WARNING, "New requests are refused, as all is too much.", ("refused", "new")),
    "overload_over": Event("load", WARNING, "No longer."),
    "draining": Event("load", INFO, "No new calls are taken, and the server ends with its last call.", ("calls",)),
    "drain_stopped": Event("load", INFO, "Draining was called off."),
    "drained": Event("load", INFO, "No call is left: the server ends."),
    "fault_added": Event("faults", WARNING, "A fault on purpose stands.", ("number", "fault")),
    "fault_removed": Event("faults", WARNING, "It was taken back.", ("number", "acted")),
    "fault_spent": Event("faults", WARNING, "It has acted as often as it was to.", ("number", "acted")),
    "http_request": Event("http", DEBUG, "A request to the HTTP port, without its query.", ("method", "path", "status", "peer")),
}  # fmt: skip

_STORE: Final = {
    "database_damaged": Event(
        "store", ERROR, "A damaged database was set aside; what could be read was taken over.",
        ("path", "reason", "rows_taken_over"),
    ),
    "store_down": Event("store", ERROR, "The store takes no writes: what they were to keep is owed.", ("path", "reason")),
    "store_up": Event("store", WARNING, "It takes them again.", ("path", "seconds", "owed")),
    "store_unreadable": Event("store", ERROR, "The store cannot be read.", ("path", "reason")),
    "store_not_closed": Event("store", ERROR, "The store was not closed in time.", ("path",)),
    "store_callback_failed": Event("store", ERROR, "Whoever waited for the store made a mistake.", ("exception",), OURS),
    "trace_file_damaged": Event(
        "store", WARNING, "A damaged file of the kept trace was set aside.", ("path", "aside", "reason")
    ),
    "trace_not_kept": Event("store", WARNING, "The trace is not kept on disk; SIP goes on.", ("path", "reason")),
    "trace_kept_again": Event("store", WARNING, "It is kept again.", ("path",)),
    "record_set_aside": Event(
        "store", WARNING, "A record that cannot be understood was moved out of the way.", ("path", "kind", "key", "reason"), OURS
    ),
    "binding_set_aside": Event("store", WARNING, "The same of a registration.", ("path", "user", "reason"), OURS),
    "user_ignored": Event("store", WARNING, "A user whose record cannot be understood.", ("path", "user"), OURS),
    "cdr_failed": Event("cdr", ERROR, "The file of call detail records takes no more: they wait.", ("path", "reason")),
    "cdr_written_again": Event("cdr", WARNING, "It takes them again.", ("path", "owed")),
    "cdr_lost": Event("cdr", ERROR, "Too many waited for that: this one is in the store at most.", ("call",), OURS),
}  # fmt: skip

EVENTS: Final[Mapping[str, Event]] = MappingProxyType(
    {**_PROCESS, **_TRANSPORT, **_ACCESS, **_CALLS, **_OTHERS, **_STORE}
)
"""Name → event."""


def table() -> str:
    """All of them in Markdown."""
    rows = ["| Event | Area | Level | Fields | Meaning |", "|---|---|---|---|---|"]
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields) or "–"
        rows.append(f"| `{name}` | {event.area} | {event.level} | {fields} | {event.meaning} |")
    return "\n".join(rows) + "\n"
