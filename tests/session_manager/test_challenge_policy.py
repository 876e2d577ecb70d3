"""The table "Challenges (default policy, per method)"."""

from __future__ import annotations

import pytest

from b2bua.session_manager.challenge_policy import ChallengePolicy, Reinvite
from b2bua.sip.profiles import ASTERISK, AVAYA, Profiles


@pytest.mark.parametrize(
    ("method", "out_of_dialog", "in_dialog"),
    [
        ("REGISTER", 401, 401),
        ("SUBSCRIBE", 401, 401),
        ("INVITE", 407, 407),
        ("PUBLISH", 407, 407),
        ("OPTIONS", 407, 407),
        ("MESSAGE", 407, 407),
        ("REFER", 407, 407),
        ("UPDATE", 407, 0),
        ("PRACK", 407, 0),
        ("BYE", 407, 0),
        ("INFO", 407, 0),
        ("ACK", 0, 0),
        ("CANCEL", 0, 0),
        ("NOTIFY", 0, 0),
        ("TAKEOFF", 407, 407),
    ],
)
def test_default_status_of_each_method(method: str, out_of_dialog: int, in_dialog: int) -> None:
    policy = ChallengePolicy()
    assert (policy.status(method, False), policy.status(method, True)) == (out_of_dialog, in_dialog)


@pytest.mark.parametrize(
    ("method", "out_of_dialog", "in_dialog"),
    [
        *((method, 401, 0) for method in ("SUBSCRIBE", "INVITE", "PUBLISH", "OPTIONS", "MESSAGE", "REFER", "UPDATE", "PRACK")),
        *((method, 401, 0) for method in ("BYE", "INFO", "TAKEOFF")),
        ("REGISTER", 401, 401),
        *((method, 0, 0) for method in ("ACK", "CANCEL", "NOTIFY")),
    ],
)
def test_status_of_each_method_with_asterisk(method: str, out_of_dialog: int, in_dialog: int) -> None:
    policy = ChallengePolicy(profiles=Profiles([ASTERISK]))
    assert (policy.status(method, False), policy.status(method, True)) == (out_of_dialog, in_dialog)
    assert (policy.proxied, ChallengePolicy().proxied) == (401, 407)


def test_asterisk_for_some_users_only() -> None:
    profiles = Profiles([ASTERISK], {"6001": [], "6002": [ASTERISK], "6003": [AVAYA]})
    policy = ChallengePolicy("always", {"BYE": "407"}, {"6002": {"INFO": "407"}}, profiles)
    assert set(policy.users) == {"6001", "6002", "6003"}
    of_users = [policy.users[user] for user in sorted(policy.users)]
    found = [(one.status("INVITE", False), one.status("INFO", True)) for one in (policy, *of_users)]
    assert found == [(401, 0), (407, 0), (401, 407), (407, 0)]
    assert all(one.status("BYE", True) == 407 for one in (policy, *policy.users.values()))


def test_a_row_stands_above_asterisk() -> None:
    policy = ChallengePolicy("always", {"re-INVITE": "407", "SUBSCRIBE": "none"}, profiles=Profiles([ASTERISK]))
    assert (policy.status("INVITE", True), policy.status("SUBSCRIBE", False), policy.status("INVITE", False)) == (407, 0, 401)


@pytest.mark.parametrize(("reinvite", "status"), [("always", 407), ("when-needed", 407), ("never", 0)])
def test_reinvite_setting_leaves_the_first_invite_alone(reinvite: Reinvite, status: int) -> None:
    policy = ChallengePolicy(reinvite)
    assert policy.status("INVITE", True) == status
    assert policy.status("INVITE", False) == 407


def test_mid_dialog_methods_can_be_switched_on() -> None:
    policy = ChallengePolicy(overrides={"bye": "407", "PRACK": "407"})
    assert [policy.status(method, True) for method in ("BYE", "PRACK", "INFO")] == [407, 407, 0]


def test_methods_can_have_the_other_challenge() -> None:
    policy = ChallengePolicy(overrides={"OPTIONS": "401", "SUBSCRIBE": "407"})
    assert [policy.status("OPTIONS", False), policy.status("SUBSCRIBE", True)] == [401, 407]


def test_methods_can_be_switched_off() -> None:
    policy = ChallengePolicy(overrides={"OPTIONS": "none"})
    assert (policy.status("OPTIONS", False), policy.status("OPTIONS", True)) == (0, 0)


def test_override_of_invite_does_not_reach_the_reinvite() -> None:
    policy = ChallengePolicy("always", {"INVITE": "none"})
    assert (policy.status("INVITE", False), policy.status("INVITE", True)) == (0, 407)


@pytest.mark.parametrize(("reinvite", "choice", "status"), [
    ("always", "401", 401), ("always", "none", 0), ("when-needed", "401", 401), ("never", "407", 407),
])  # fmt: skip
def test_reinvite_can_be_set_like_any_method(reinvite: Reinvite, choice: str, status: int) -> None:
    policy = ChallengePolicy(reinvite, {"re-INVITE": choice})
    assert (policy.status("INVITE", True), policy.status("INVITE", False)) == (status, 407)


def test_a_user_has_what_all_have_but_for_his_own() -> None:
    own = {"bye": "none", "INVITE": "401"}
    policy = ChallengePolicy("never", {"BYE": "407", "INFO": "407"}, {"6001": own})
    theirs = policy.users["6001"]
    assert [policy.status("BYE", True), policy.status("INFO", True), policy.status("INVITE", False)] == [407, 407, 407]
    assert [theirs.status("BYE", True), theirs.status("INFO", True), theirs.status("INVITE", False)] == [0, 407, 401]
    assert (theirs.reinvite, theirs.status("INVITE", True)) == ("never", 0)


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "NOTIFY"])
def test_no_override_challenges_ack_cancel_notify(method: str) -> None:
    policy = ChallengePolicy(overrides={method: "407"})
    assert (policy.status(method, False), policy.status(method, True)) == (0, 0)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="sometimes"):
        ChallengePolicy("sometimes")  # type: ignore[arg-type]  # a setting from a file may be anything
    with pytest.raises(ValueError, match="BYE"):
        ChallengePolicy(overrides={"BYE": "403"})
    with pytest.raises(ValueError, match="REGISTER is always challenged"):
        ChallengePolicy(overrides={"REGISTER": "none"})
    with pytest.raises(ValueError, match="REGISTER is always challenged"):
        ChallengePolicy(users={"6001": {"register": "none"}})
