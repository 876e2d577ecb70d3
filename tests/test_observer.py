from __future__ import annotations

import pytest

from b2bua.observer import HISTOGRAMS, METHOD_LABELS, NAMES, Histogram, Observer

VERBS = [
    (("retransmission", "in", "REGISTER"), "retransmissions", ("in", "REGISTER")),
    (("parse_error", "line ends"), "parse_errors", ("line ends",)),
    (("message_dropped", "malformed"), "messages_dropped", ("malformed",)),
    (("challenge_sent", "INVITE", 407, True), "auth_challenges", ("INVITE", "407", "true")),
    (("challenge_sent", "REGISTER", 401, False), "auth_challenges", ("REGISTER", "401", "false")),
    (("credentials_checked", "ok", "MD5"), "auth_results", ("ok", "MD5")),
    (("source_banned", "banned"), "bans", ("banned",)),
    (("login_tried", "wrong"), "logins", ("wrong",)),
    (("registered", "ok"), "register", ("ok",)),
    (("call_attempted", 486), "call_attempts", ("486",)),
    (("call_ended", "busy"), "calls", ("busy",)),
    (("reinvite_finished", "hold", "ok"), "reinvites", ("hold", "ok")),
    (("glare", "retried"), "glare", ("retried",)),
    (("published", "dialog", 200), "publish", ("dialog", "200")),
    (("notified", "dialog", 408), "notify", ("dialog", "408")),
    (("overload_rejected", "calls of a user"), "overload_rejected", ("calls of a user",)),
    (("not_durable", "call"), "not_durable", ("call",)),
    (("dns_answered", "none"), "dns_queries", ("none",)),
    (("next_hop_failed", "timeout"), "next_hops_failed", ("timeout",)),
    (("application_skipped", "down"), "applications_skipped", ("down",)),
    (("internal_error", "feature"), "internal_errors", ("feature",)),
    (("feature_failed", "screening", "raised"), "feature_errors", ("screening", "raised")),
    (("fault_injected", "drop"), "faults_injected", ("drop",)),
    (("write_failed", "cdr"), "write_failures", ("cdr",)),
]


DURATIONS = [
    (("transaction_answered", "INVITE"), "transaction_seconds", "INVITE"),
    (("transaction_answered", "MADE-UP"), "transaction_seconds", "other"),
    (("call_progressed",), "post_dial_delay_seconds", ""),
    (("call_answered",), "call_setup_seconds", ""),
    (("call_lasted",), "call_duration_seconds", ""),
    (("register_answered",), "register_seconds", ""),
    (("notify_acknowledged", "dialog"), "notify_latency_seconds", "dialog"),
    (("store_written",), "store_op_seconds", ""),
    (("loop_late",), "eventloop_lag_seconds", ""),
    (("garbage_collected",), "gc_pause_seconds", ""),
]


@pytest.mark.parametrize(("call", "name", "labels"), VERBS, ids=lambda value: str(value))
def test_each_verb_counts_one(call, name, labels):
    observer = Observer()
    for _ in range(3):
        getattr(observer, call[0])(*call[1:])
    assert {name: dict(counts) for name, counts in observer.counts.items() if counts} == {name: {labels: 3}}
    assert len(labels) == len(NAMES[name])


def test_every_counter_has_a_verb():
    # Messages are counted by the transaction layer: tests/transaction/test_layer.py.
    assert {name for _, name, _ in VERBS} | {"requests", "responses"} == set(NAMES)


def test_two_observers_share_nothing():
    one, other = Observer(), Observer()
    one.registered("ok")
    assert not other.counts["register"]


def test_a_peer_cannot_make_series_by_inventing_methods():
    observer = Observer()
    for number in range(1000):
        observer.retransmission("in", f"NEW{number}")
    assert dict(observer.counts["retransmissions"]) == {("in", "other"): 1000}
    assert (METHOD_LABELS["INVITE"], METHOD_LABELS["invite"]) == ("INVITE", "other")


@pytest.mark.parametrize(("call", "name", "label"), DURATIONS, ids=lambda value: str(value))
def test_each_duration_is_in_its_histogram(call, name, label):
    observer = Observer()
    for seconds in (0.25, 0.5):
        getattr(observer, call[0])(*call[1:], seconds)
    found = {
        key: {label: one for label, one in by_label.items() if sum(one.counts)} for key, by_label in observer.histograms.items()
    }
    found = {key: by_label for key, by_label in found.items() if by_label}
    assert list(found) == [name] and list(found[name]) == [label]
    assert (sum(found[name][label].counts), found[name][label].total) == (2, 0.75)
    assert found[name][label].bounds == HISTOGRAMS[name][1]


def test_every_histogram_has_a_verb():
    assert {name for _, name, _ in DURATIONS} == set(HISTOGRAMS)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (1.0, 0), (1.001, 1), (2.0, 1), (2.5, 2), (1e9, 2)])
def test_a_bound_belongs_to_its_bucket(seconds, bucket):
    """Prometheus' buckets are `le`: up to and including the bound."""
    histogram = Histogram((1.0, 2.0))
    histogram.observe(seconds)
    assert histogram.counts == [int(number == bucket) for number in range(3)]


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_bounds_ascend(name):
    bounds = HISTOGRAMS[name][1]
    assert list(bounds) == sorted(set(bounds)) and bounds[0] > 0
