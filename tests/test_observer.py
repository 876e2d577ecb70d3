from __future__ import annotations

import pytest

from b2bua.observer import NAMES, Observer, known_method

VERBS = [
    (("retransmission", "in", "REGISTER"), "retransmissions", ("in", "REGISTER")),
    (("parse_error", "line ends"), "parse_errors", ("line ends",)),
    (("message_dropped", "malformed"), "messages_dropped", ("malformed",)),
    (("challenge_sent", "INVITE", 407, True), "auth_challenges", ("INVITE", "407", "true")),
    (("challenge_sent", "REGISTER", 401, False), "auth_challenges", ("REGISTER", "401", "false")),
    (("credentials_checked", "ok", "MD5"), "auth_results", ("ok", "MD5")),
    (("registered", "ok"), "register", ("ok",)),
    (("call_ended", "busy"), "calls", ("busy",)),
    (("reinvite_finished", "hold", "ok"), "reinvites", ("hold", "ok")),
    (("glare", "retried"), "glare", ("retried",)),
    (("published", "dialog", 200), "publish", ("dialog", "200")),
    (("notified", "dialog", 408), "notify", ("dialog", "408")),
    (("internal_error", "feature"), "internal_errors", ("feature",)),
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
    assert (known_method("INVITE"), known_method("invite")) == ("INVITE", "other")
