"""The one observer: domain verbs that the core calls, kept as plain integers (0.1 µs a verb) for metrics and for the trace.

Everything here is a count of what happened. What *is* (registrations, calls, subscriptions) is asked of its owner at scrape
time and never counted up and down. Only the service makes an `Observer`; the core is handed it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

Counts = defaultdict[tuple[str, ...], int]

NAMES: Final = {
    "requests": ("direction", "method", "transport"),
    "responses": ("direction", "method", "code"),
    "retransmissions": ("direction", "method"),
    "parse_errors": ("reason",),
    "messages_dropped": ("reason",),
    "auth_challenges": ("method", "code", "in_dialog"),
    "auth_results": ("result", "algorithm"),
    "register": ("result",),
    "calls": ("result",),
    "reinvites": ("kind", "result"),
    "glare": ("outcome",),
    "publish": ("event", "code"),
    "notify": ("event", "code"),
    "internal_errors": ("where",),
}
"""Counter → its labels. `http/metrics.py` exports each as `b2bua_<name>_total`."""

METHODS: Final = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER",
     "MESSAGE", "UPDATE")
)  # fmt: skip

CODES: Final = {status: str(status) for status in range(100, 700)}
"""Status → label."""


def known_method(method: str) -> str:
    """A method as a label: an unknown one becomes `other`, so that a peer cannot make series."""
    return method if method in METHODS else "other"


class Observer:
    """Counts by verb. `counts[name][labels]`; the labels stand in the order of `NAMES`."""

    def __init__(self) -> None:
        self.counts: dict[str, Counts] = {name: defaultdict(int) for name in NAMES}
        counts = self.counts
        self.requests, self.responses = counts["requests"], counts["responses"]
        """Counted up by the transaction layer itself, with a key of `NAMES`: a call a message would cost more than all else."""
        self._retransmissions = counts["retransmissions"]

    def retransmission(self, direction: str, method: str) -> None:
        self._retransmissions[direction, known_method(method)] += 1

    def parse_error(self, reason: str) -> None:
        self.counts["parse_errors"][reason,] += 1

    def message_dropped(self, reason: str) -> None:
        """A message was neither answered nor passed on; `reason` is one of a fixed few words."""
        self.counts["messages_dropped"][reason,] += 1

    def challenge_sent(self, method: str, status: int, in_dialog: bool) -> None:
        self.counts["auth_challenges"][known_method(method), str(status), "true" if in_dialog else "false"] += 1

    def credentials_checked(self, result: str, algorithm: str) -> None:
        """`result`: ok, bad_response, stale, replay, unknown_user."""
        self.counts["auth_results"][result, algorithm] += 1

    def registered(self, result: str) -> None:
        """`result`: ok, removed, forbidden, too_brief, error."""
        self.counts["register"][result,] += 1

    def call_ended(self, result: str) -> None:
        """`result`: answered, busy, cancelled, failed, no_answer, rejected, timed_out (session timer), too_long."""
        self.counts["calls"][result,] += 1

    def reinvite_finished(self, kind: str, result: str) -> None:
        """`kind`: hold, resume, refresh, media; `result`: ok, refused, glare, timeout, cancelled, ended."""
        self.counts["reinvites"][kind, result] += 1

    def glare(self, outcome: str) -> None:
        """`outcome`: refused (we sent 491), retried, gave_up, yielded."""
        self.counts["glare"][outcome,] += 1

    def published(self, event: str, status: int) -> None:
        """A PUBLISH of a feature server was answered."""
        self.counts["publish"][event, CODES[status]] += 1

    def notified(self, event: str, status: int) -> None:
        """A NOTIFY ended with this status; 408 also for no answer at all."""
        self.counts["notify"][event, str(status)] += 1

    def internal_error(self, where: str) -> None:
        """A mistake of ours was caught; the log has the details."""
        self.counts["internal_errors"][where,] += 1
