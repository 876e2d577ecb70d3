"""What the settings of the built-in features may be, as `b2bua user set` and `user_defaults` take them."""

from __future__ import annotations

import pytest

from b2bua.feature_server.setting_checks import check_setting
from plugins.communication_manager.do_not_disturb import DoNotDisturb
from plugins.communication_manager.find_me import FindMe, steps_of
from plugins.communication_manager.forwarding import Forwarding

FEATURES = (Forwarding, DoNotDisturb, FindMe)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("forward_always", "6003"), ("forward_busy", "sip:a@example.net"), ("forward_no_answer", "+49301"),
        ("forward_no_answer_seconds", "1"), ("forward_no_answer_seconds", "600"), ("follow_redirects", "domain"),
        ("follow_redirects", "all"), ("follow_redirects", "none"), ("do_not_disturb", "on"), ("do_not_disturb", "off"),
        ("do_not_disturb_status", "400"), ("do_not_disturb_status", "699"), ("find_me", "6003,6004&6005"), ("find_me", "&6003"),
        ("find_me_seconds", "600"),
    ],
)  # fmt: skip
def test_taken(name: str, value: str) -> None:
    check_setting(FEATURES, name, value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("forward_always", "a b", "'a b' is neither a number"), ("forward_no_answer_seconds", "0", "'0' is no number of seconds"),
        ("forward_no_answer_seconds", "601", "'601' is no number"), ("forward_no_answer_seconds", "²", "'²' is no number"),
        ("follow_redirects", "some", "'some' is none of domain, all, none"),
        ("do_not_disturb", "yes", "'yes' is none of on, off"),
        ("do_not_disturb_status", "200", "'200' is no status"), ("do_not_disturb_status", "700", "'700' is no status"),
        ("do_not_disturb_status", "busy", "'busy' is no status"), ("find_me", "6003,,6004", "'' is neither a number"),
        ("find_me", "&", "'' is neither a number"), ("find_me_seconds", "-1", "'-1' is no number of seconds"),
    ],
)  # fmt: skip
def test_refused(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        check_setting(FEATURES, name, value)


def test_the_steps_of_a_search() -> None:
    three, four, five = (f"sip:600{number}@example.com" for number in (3, 4, 5))
    assert steps_of("6003,6004&6005", "example.com") == (False, [[three], [four, five]])
    assert steps_of("&6003&6004,6005", "example.com") == (True, [[three, four], [five]])
