"""Every family of `/metrics`: name, labels and the sentence that it says about itself. README.md beside it has the same table.

Counters (`b2bua_<name>_total`) and histograms (`b2bua_<name>`) have their labels in b2bua/observer.py; gauges here.
"""

from __future__ import annotations

from typing import Final

HELP: Final[dict[str, str]] = {
    "requests": "SIP requests that came in (direction in) or went out over a transport.",
    "responses": "SIP responses that came in or went out, by the method they answer.",
    "retransmissions": "SIP messages that came in again or were sent again.",
    "parse_errors": "Messages that could not be read, by what was wrong.",
    "messages_dropped": "Messages that were neither answered nor passed on.",
    "auth_challenges": "401 and 407 challenges sent; an answered challenge is no failure.",
    "auth_results": "Digest credentials that were checked, by the outcome.",
    "bans": "Bans of sources whose credentials kept being wrong: begun, and lifted by hand.",
    "logins": "Log-ins over HTTP by how they ended; limited: too many wrong ones of an address; bad_token: a token of nobody.",
    "register": "REGISTER requests by their outcome; challenges do not count.",
    "call_attempts": "Calls tried, by the final status that the caller got; challenges do not count.",
    "calls": "Calls that ended, by how.",
    "reinvites": "re-INVITEs that finished, by what they were for and how they ended.",
    "glare": "Crossing re-INVITEs, by what became of ours.",
    "publish": "PUBLISH requests of feature servers by the status they got.",
    "notify": "NOTIFY requests by the status they got; 408 stands for no answer, too.",
    "overload_rejected": "Requests refused because a limit was reached, by the limit.",
    "not_durable": "Answers whose record the store did not take: it is written later, by what it is of.",
    "dns_queries": "Questions to the DNS, by outcome; answers from memory do not count.",
    "next_hops_failed": "Targets that a name led to and that did not serve a request, by why: the next one was tried.",
    "applications_skipped": "Calls and messages that went on without an application, by why.",
    "internal_errors": "Mistakes of this program that were caught; the log has the details.",
    "feature_errors": "Mistakes of features that were contained, by the feature and by what it did.",
    "faults_injected": "Messages that faults set on purpose acted on, by what they did.",
    "write_failures": "What is written for others and found no room: outages and lost lines, by what it is.",
    "trace_dropped": "Messages that a slow reader of the live trace, or the file of trace_keep, did not get.",
    "call_setup_seconds": "From a call's INVITE to its 2xx, ringing included.",
    "post_dial_delay_seconds": "From a call's INVITE to the first 18x or 2xx.",
    "call_duration_seconds": "From a call's 2xx to its end.",
    "register_seconds": "From a REGISTER with good credentials to its 200.",
    "transaction_seconds": "From a request that came in over a network to its final response; challenges do not count.",
    "notify_latency_seconds": "From a change of state to the 2xx of a phone that watches it.",
    "store_op_seconds": "From a write's order to its commit.",
    "eventloop_lag_seconds": "How late the turns of the event loop came, 20 a second.",
    "gc_pause_seconds": "How long a collection of garbage stopped everything.",
}
"""What each counter and histogram says about itself."""

GAUGES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "registrations_active": ((), "Addresses of record with at least one contact."),
    "contacts": (("transport",), "Registered contacts by transport."),
    "flows": (("transport",), "Peers that a listener knows: connections, over UDP addresses."),
    "calls_active": (("state",), "Calls that stand, each in one state: early, confirmed or held."),
    "calls_held_oldest_seconds": ((), "For how long the call that is held longest has been held; 0 when none is."),
    "subscriptions_active": (("event",), "Subscriptions by event."),
    "entity_up": (("entity",), "1 when the feature server or watched trunk answered last time, 0 when it did not."),
    "entity_rtt_seconds": (("entity",), "From the last OPTIONS to the feature server or trunk to its answer."),
    "sources_banned": ((), "Sources that are banned."),
    "admitted_share": ((), "The part of new requests that is taken: 1 unless overloaded, 0 while draining."),
    "store_up": ((), "1 when the last write and the last look into the store succeeded, else 0."),
    "store_queue_depth": ((), "Writes that the store has not taken up yet."),
    "trace_messages": ((), "Messages that the trace holds."),
    "trace_bytes": ((), "Octets that they have, about 300 for each included; as of some tenths of a second ago."),
    "trace_keep_up": ((), "1 when the file of trace_keep takes what it is given, or none is set; else 0."),
    "config_last_reload_successful": ((), "1 when the settings read last are in use, 0 when they were refused."),
    "config_last_reload_success_timestamp_seconds": ((), "When settings were taken over last, in seconds since the epoch."),
    "start_time_seconds": ((), "When this server started, in seconds since the epoch."),
    "build_info": (("version", "python"), "Version of this program and of Python; always 1."),
}
"""Gauge → its labels and what it says about itself; exported as `b2bua_<name>`."""

_CALLS: Final = ("answered", "busy", "cancelled", "failed", "no_answer", "rejected", "timed_out", "too_long")
_REINVITES: Final = ("hold", "resume", "refresh", "media", "target")

EXPECTED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "requests": (("in", "INVITE", "udp"), ("in", "REGISTER", "udp")),
    "responses": (("out", "INVITE", "200"), ("out", "INVITE", "486")),
    "retransmissions": (("in", "INVITE"), ("out", "INVITE")),
    "parse_errors": (("start line",),),
    "messages_dropped": (("malformed",),),
    "auth_challenges": (("INVITE", "407", "false"), ("INVITE", "407", "true"), ("REGISTER", "401", "false")),
    "auth_results": tuple((result, "MD5") for result in ("ok", "bad_response", "stale", "replay", "unknown_user")),
    "bans": (("banned",), ("removed",)),
    "logins": (("right",), ("wrong",), ("limited",), ("bad_token",)),
    "register": tuple((result,) for result in ("ok", "removed", "forbidden", "too_brief", "error")),
    "call_attempts": tuple((code,) for code in ("200", "408", "480", "486", "487", "500", "503", "504", "600", "603")),
    "calls": tuple((result,) for result in _CALLS),
    "reinvites": tuple((kind, "ok") for kind in _REINVITES),
    "glare": tuple((outcome,) for outcome in ("refused", "retried", "gave_up", "yielded")),
    "publish": (("dialog", "200"),),
    "notify": (("dialog", "200"), ("dialog", "408"), ("message-summary", "200"), ("presence", "200"), ("reg", "200")),
    "overload_rejected": tuple(
        (what,)
        for what in ("transactions", "subscriptions", "calls", "requests", "overload", "draining", "store", "publications")
    ),
    "not_durable": tuple((what,) for what in ("call", "invite", "binding", "subscription", "publication")),
    "dns_queries": (("found",), ("none",), ("failed",)),
    "next_hops_failed": (("timeout",), ("unavailable",), ("unreachable",)),
    "applications_skipped": (("down",), ("silent",), ("method",)),
    "internal_errors": (("transaction user",),),
    "feature_errors": (("hold", "raised"),),
    "faults_injected": (("drop",),),
    "write_failures": (("cdr",), ("log",)),
}
"""Counter → label values that are there from the start with 0: a rate sees the first event only if a 0 was before it."""

EXPECTED_HISTOGRAMS: Final[dict[str, tuple[str, ...]]] = {
    "transaction_seconds": ("INVITE", "BYE", "REGISTER", "SUBSCRIBE"),
    "notify_latency_seconds": ("dialog",),
}
"""Histogram with a label → values that are there from the start; one without a label always is."""

SERIES: Final[dict[str, int]] = {
    "requests": 33, "responses": 27, "retransmissions": 12, "parse_errors": 8, "messages_dropped": 10, "auth_challenges": 14,
    "auth_results": 15, "bans": 2, "logins": 4, "register": 5, "call_attempts": 18, "calls": 9, "reinvites": 16, "glare": 4,
    "publish": 8, "notify": 8, "overload_rejected": 8, "not_durable": 5, "dns_queries": 3, "next_hops_failed": 3,
    "applications_skipped": 3, "internal_errors": 6, "feature_errors": 8, "faults_injected": 7, "write_failures": 2,
    "transaction_seconds": 4, "notify_latency_seconds": 1,
}  # fmt: skip
"""Most label sets that a family shows by themselves; what comes up later is counted together with its like: requests by
direction and transport, responses by direction and the class of their code, all else in one more whose labels are all `other`
(label_sets.py). So no peer can make more than 500 series of us, whatever status codes it sends; 20 are left for gauges of more
transports and links."""
