"""The one observer: domain verbs that the core calls, kept as plain integers (0.1 µs a verb) for metrics and for the trace.

Everything here is a count of what happened. What *is* (registrations, calls, subscriptions) is asked of its owner at scrape
time and never counted up and down. Only the service makes an `Observer`; the core is handed it. Durations are measured by
whoever has the clock and come in as seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Final, Protocol

Counts = defaultdict[tuple[str, ...], int]

NAMES: Final = {
    "requests": ("direction", "method", "transport"),
    "responses": ("direction", "method", "code"),
    "retransmissions": ("direction", "method"),
    "parse_errors": ("reason",),
    "messages_dropped": ("reason",),
    "auth_challenges": ("method", "code", "in_dialog"),
    "auth_results": ("result", "algorithm"),
    "bans": ("event",),
    "logins": ("result",),
    "register": ("result",),
    "call_attempts": ("code",),
    "calls": ("result",),
    "reinvites": ("kind", "result"),
    "glare": ("outcome",),
    "publish": ("event", "code"),
    "notify": ("event", "code"),
    "overload_rejected": ("what",),
    "not_durable": ("what",),
    "dns_queries": ("result",),
    "next_hops_failed": ("reason",),
    "applications_skipped": ("reason",),
    "internal_errors": ("where",),
    "feature_errors": ("feature", "what"),
    "faults_injected": ("fault",),
    "write_failures": ("what",),
}
"""Counter → its labels. `http/metrics.py` exports each as `b2bua_<name>_total`."""

_PEOPLE: Final[tuple[float, ...]] = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0)
_DELAYS: Final[tuple[float, ...]] = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_TALKS: Final[tuple[float, ...]] = (1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0)
_ANSWERS: Final[tuple[float, ...]] = (0.005, 0.02, 0.1, 0.5, 4.0, 32.0)
_WORK: Final[tuple[float, ...]] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_PAUSES: Final[tuple[float, ...]] = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)

HISTOGRAMS: Final[dict[str, tuple[tuple[str, ...], tuple[float, ...]]]] = {
    "call_setup_seconds": ((), _PEOPLE),
    "post_dial_delay_seconds": ((), _DELAYS),
    "call_duration_seconds": ((), _TALKS),
    "register_seconds": ((), _WORK),
    "transaction_seconds": (("method",), _ANSWERS),
    "notify_latency_seconds": (("event",), (0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 32.0)),
    "store_op_seconds": ((), _WORK),
    "eventloop_lag_seconds": ((), _WORK),
    "gc_pause_seconds": ((), _PAUSES),
}
"""Histogram → its labels, and the upper bounds of its buckets in seconds; exported as `b2bua_<name>`."""

METHODS: Final = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER",
     "MESSAGE", "UPDATE")
)  # fmt: skip

CODES: Final = {status: str(status) for status in range(100, 700)}
"""Status → label."""


class _Labels(dict[str, str]):
    def __missing__(self, method: str) -> str:
        return "other"


METHOD_LABELS: Final[dict[str, str]] = _Labels({method: method for method in METHODS})
"""Method → label: an unknown one becomes `other`, so that a peer cannot make series. A mapping, as each message asks it: a
function here would be 0.5 % of the bytecodes of a hold call."""


_DROPPED_AT_ONCE: Final = frozenset(
    ("malformed", "source banned", "source over its limit", "too many transactions", "socket full")
)
"""Reasons that are found while the message is the last one in the trace."""


class Histogram:
    """How often a duration fell into each bucket; one observation costs 0.2 µs."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """Upper bounds in seconds, each of its own bucket; what is longer has the last one, which has none."""
        self.counts = [0] * (len(bounds) + 1)
        """Observations by bucket, not cumulated."""
        self.total = 0.0
        """Sum of all observations in seconds."""

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class _ByLabel(dict[str, Histogram]):
    """The histograms of a family with one label, each made when its value comes up."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self._bounds = bounds

    def __missing__(self, label: str) -> Histogram:
        made = self[label] = Histogram(self._bounds)
        return made


class Decided(Protocol):
    """What the observer tells the trace, where there is one: decisions of the core that no message object carries along. The
    notes are `b2bua.sip.why.Why`."""

    def again(self, why: tuple[object, ...]) -> None:
        """Why the bytes that are sent next have been sent before."""

    def concerning(self, data: bytes, why: tuple[object, ...]) -> None:
        """What became of a message that was traced: the one with these bytes, or with b"" the last one."""


class Observer:
    """Counts by verb. `counts[name][labels]`; the labels stand in the order of `NAMES`.

    `histograms[name]` is label → histogram; the label is "" in a family without one.
    """

    def __init__(self) -> None:
        self.trace: Decided | None = None
        self.counts: dict[str, Counts] = {name: defaultdict(int) for name in NAMES}
        counts = self.counts
        self.requests, self.responses = counts["requests"], counts["responses"]
        """Counted up by the transaction layer itself, with a key of `NAMES`: a call a message would cost more than all else."""
        self._retransmissions = counts["retransmissions"]
        self.histograms: dict[str, dict[str, Histogram]] = {name: _ByLabel(bounds) for name, (_, bounds) in HISTOGRAMS.items()}
        # Looked up once: these are observed with every call and lamp.
        self._transactions = self.histograms["transaction_seconds"]
        self._notifies = self.histograms["notify_latency_seconds"]
        self._delays = self.histograms["post_dial_delay_seconds"][""]
        self._setups = self.histograms["call_setup_seconds"][""]
        self._talks = self.histograms["call_duration_seconds"][""]
        self._late = self.histograms["eventloop_lag_seconds"][""]

    def retransmission(self, direction: str, method: str, why: tuple[object, ...] | None = None) -> None:
        """A message came in again, or goes out again and then with a note why."""
        self._retransmissions[direction, METHOD_LABELS[method]] += 1
        if why is not None and self.trace is not None:
            self.trace.again(why)

    def timer_fired(self, data: bytes, why: tuple[object, ...]) -> None:
        """A timer ended the wait of whoever sent these bytes, and nothing is sent for it."""
        if self.trace is not None:
            self.trace.concerning(data, why)

    def parse_error(self, reason: str) -> None:
        self.counts["parse_errors"][reason,] += 1

    def message_dropped(self, reason: str) -> None:
        """A message was neither answered nor passed on; `reason` is one of a fixed few words."""
        self.counts["messages_dropped"][reason,] += 1
        if self.trace is not None and reason in _DROPPED_AT_ONCE:
            self.trace.concerning(b"", (None, "dropped: {}", reason))

    def challenge_sent(self, method: str, status: int, in_dialog: bool) -> None:
        self.counts["auth_challenges"][METHOD_LABELS[method], str(status), "true" if in_dialog else "false"] += 1

    def credentials_checked(self, result: str, algorithm: str) -> None:
        """`result`: ok, bad_response, stale, replay, unknown_user."""
        self.counts["auth_results"][result, algorithm] += 1

    def source_banned(self, event: str) -> None:
        """`event`: banned, removed (by hand)."""
        self.counts["bans"][event,] += 1

    def login_tried(self, result: str) -> None:
        """Over HTTP. `result`: right, wrong, limited (too many wrong ones from that address), bad_token (nobody's)."""
        self.counts["logins"][result,] += 1

    def registered(self, result: str) -> None:
        """`result`: ok, removed, forbidden, too_brief, error."""
        self.counts["register"][result,] += 1

    def call_attempted(self, status: int) -> None:
        """The first INVITE of a call got its final answer; rounds of 401 and 407 are no attempts."""
        self.counts["call_attempts"][CODES[status],] += 1

    def call_ended(self, result: str) -> None:
        """`result`: answered, busy, cancelled, failed, no_answer, rejected, timed_out (session timer), too_long."""
        self.counts["calls"][result,] += 1

    def reinvite_finished(self, kind: str, result: str) -> None:
        """`kind`: hold, resume, refresh, media, target; `result`: ok, refused, glare, timeout, cancelled, ended."""
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

    def feature_failed(self, feature: str, what: str) -> None:
        """A feature made a mistake; `what`: raised, blocked (held everybody up), ended (for that)."""
        self.counts["feature_errors"][feature, what] += 1

    def fault_injected(self, action: str) -> None:
        """A fault that somebody set acted on a message: drop, delay, duplicate, answer, challenge, tag, pad."""
        self.counts["faults_injected"][action,] += 1

    def overload_rejected(self, what: str) -> None:
        """A request was refused because a limit was reached; `what` names it: transactions, subscriptions, calls (of one
        user), requests (from one source), publications (of one user), or another of a fixed few words."""
        self.counts["overload_rejected"][what,] += 1

    def not_durable(self, what: str) -> None:
        """Something was answered that the store had not taken, and is written later: call, invite, binding, subscription,
        publication."""
        self.counts["not_durable"][what,] += 1

    def write_failed(self, what: str) -> None:
        """What is written for others found no room: cdr (an outage begins, or a record is lost), log (a line is lost)."""
        self.counts["write_failures"][what,] += 1

    def dns_answered(self, result: str) -> None:
        """`result`: found, none (no such record), failed (no answer, a server's error)."""
        self.counts["dns_queries"][result,] += 1

    def next_hop_failed(self, reason: str) -> None:
        """A target that a name led to did not serve a request: timeout, unavailable (503), unreachable."""
        self.counts["next_hops_failed"][reason,] += 1

    def application_skipped(self, reason: str) -> None:
        """A call goes on without an application: down (known before), silent."""
        self.counts["applications_skipped"][reason,] += 1

    # -- durations, all in seconds -----------------------------------------------------------------------------

    def transaction_answered(self, method: str, seconds: float) -> None:
        """From a request that came in to our final response; challenges are left out."""
        self._transactions[METHOD_LABELS[method]].observe(seconds)

    def call_progressed(self, seconds: float) -> None:
        """From a call's INVITE to the first 18x or 2xx (RFC 6076 §4.3.1: session request delay)."""
        self._delays.observe(seconds)

    def call_answered(self, seconds: float) -> None:
        """From a call's INVITE to its 2xx."""
        self._setups.observe(seconds)

    def call_lasted(self, seconds: float) -> None:
        """From a call's 2xx to its end (RFC 6076 §4.5: session duration time)."""
        self._talks.observe(seconds)

    def register_answered(self, seconds: float) -> None:
        """From a REGISTER with good credentials to its 200."""
        self.histograms["register_seconds"][""].observe(seconds)

    def notify_acknowledged(self, event: str, seconds: float) -> None:
        """From the change of a state to the watcher's 2xx."""
        self._notifies[event].observe(seconds)

    def store_written(self, seconds: float) -> None:
        """From a write's order to its commit, or failure, as its caller hears of it."""
        self.histograms["store_op_seconds"][""].observe(seconds)

    def loop_late(self, seconds: float) -> None:
        """How late one turn of the event loop came."""
        self._late.observe(seconds)

    def garbage_collected(self, seconds: float) -> None:
        """How long one collection stopped everything."""
        self.histograms["gc_pause_seconds"][""].observe(seconds)
