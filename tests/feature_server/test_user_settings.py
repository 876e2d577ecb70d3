"""What users have set: kept in the store, changed by others, and whose they are."""

from __future__ import annotations

import pytest

from b2bua.feature_server.feature import Feature
from b2bua.feature_server.setting_checks import check_defaults, check_setting
from b2bua.feature_server.user_settings import UserSettings
from b2bua.store.setting_record import SETTING, SettingRecord, encode_setting
from tests.scenarios.kept_records import KeptRecords

ALICE = "sip:6001@example.com"


class Forward(Feature):
    settings = {"forward_to": "where"}  # noqa: RUF012  # as a plugin writes it

    @classmethod
    def check_setting(cls, name, value):
        if not value.isdigit():
            raise ValueError(f"{value!r} is no number")


def test_a_setting_is_of_a_user_of_the_domain():
    users = UserSettings("Example.COM")
    users.put("6001", "forward_to", "6003")
    assert users.value(ALICE, "forward_to") == "6003"
    assert users.value("sips:6001@EXAMPLE.com", "forward_to") == "6003"
    assert users.value("sip:%36001@example.com", "forward_to") == "6003"
    for stranger in ("sip:6001@example.net", "sip:6002@example.com", "sip:example.com", "tel:6001", "nonsense"):
        assert users.value(stranger, "forward_to") == ""
    users.put("6001", "forward_to", "")
    assert users.value(ALICE, "forward_to") == ""
    assert users.of("6001") == {}


def test_a_default_counts_for_users_who_have_not_set_it():
    users = UserSettings("example.com", None, {"seconds": "20"})
    assert users.value(ALICE, "seconds") == "20"
    assert users.value("sip:6001@example.net", "seconds") == ""
    users.put("6001", "seconds", "5")
    assert users.value(ALICE, "seconds") == "5"
    users.follow({"seconds": "30"})
    assert (users.value(ALICE, "seconds"), users.value("sip:6002@example.com", "seconds")) == ("5", "30")


def test_it_outlives_the_process_once_that_is_promised():
    records, promised = KeptRecords(), []
    users = UserSettings("example.com", records)
    users.put("6001", "forward_to", "6003", promised.append)
    users.put("6002", "forward_to", "6003")
    assert promised == []
    records.commit()
    users.put("6002", "forward_to", "", promised.append)
    records.commit()
    assert promised == [True, True]
    again = UserSettings("example.com", records)
    assert again.of("6001") == {"forward_to": "6003"}
    assert again.of("6002") == {}


def test_a_store_that_fails_is_said_and_the_setting_counts_all_the_same():
    records, promised = KeptRecords(), []
    users = UserSettings("example.com", records)
    records.failing = True
    users.put("6001", "forward_to", "6003", promised.append)
    records.commit()
    assert promised == [False]
    assert users.value(ALICE, "forward_to") == "6003"
    users.take([])  # what is read meanwhile is older than what the store owes
    assert users.value(ALICE, "forward_to") == "6003"


def test_what_another_process_changes_counts_and_is_told():
    records, told = KeptRecords(), []
    users = UserSettings("example.com", records)
    users.watch(lambda *change: told.append(change))
    users.put("6001", "forward_to", "6003")
    records.commit()
    other = SettingRecord("6002", "forward_to", "6004")
    users.take([(other.key, encode_setting(other))])
    assert told == [("6001", "forward_to", "6003"), ("6001", "forward_to", ""), ("6002", "forward_to", "6004")]
    assert users.of("6001") == {}
    users.put("6002", "forward_to", "6005")  # under way while the same is read
    users.take([(other.key, encode_setting(other))])
    assert users.of("6002") == {"forward_to": "6005"}
    records.commit()
    users.take([(other.key, encode_setting(other))])
    assert users.of("6002") == {"forward_to": "6004"}
    users.put("6002", "forward_to", "")
    users.take([(other.key, encode_setting(other))])
    assert users.of("6002") == {}


def test_a_record_that_cannot_be_understood_is_set_aside():
    records = KeptRecords()
    good = SettingRecord("6001", "forward_to", "6003")
    records.kept = {
        (SETTING, good.key): encode_setting(good),
        (SETTING, "forward_to 6002"): "{",
        (SETTING, "forward_to 6003"): encode_setting(good),
        (SETTING, "forward_to 6004"): encode_setting(SettingRecord("6004", "forward_to", "1", 99)),
    }
    users = UserSettings("example.com", records)
    assert users.of("6001") == {"forward_to": "6003"}
    assert len(records.set_aside_for) == 3


@pytest.mark.parametrize(("name", "value"), [("Forward", "1"), ("", "1"), ("a b", "1"), ("a", "x\ny"), ("a", "x" * 1025)])
def test_what_no_setting_may_be(name, value):
    with pytest.raises(ValueError):
        UserSettings("example.com").put("6001", name, value)


def test_a_feature_says_what_its_settings_may_be():
    check_setting([Forward], "forward_to", "6003")
    check_setting([Forward], "forward_to", "")
    with pytest.raises(ValueError, match=r"^'home' is no number$"):
        check_setting([Forward], "forward_to", "home")
    with pytest.raises(ValueError, match=r"^unknown setting 'forward'; the nearest known setting is 'forward_to'$"):
        check_setting([Forward], "forward", "6003")
    with pytest.raises(ValueError, match=r"^unknown setting 'forward'; no feature has settings$"):
        check_setting([], "forward", "6003")
    with pytest.raises(ValueError, match=r"^forward_to: 'home' is no number$"):
        check_defaults([Forward], {"forward_to": "home"})
