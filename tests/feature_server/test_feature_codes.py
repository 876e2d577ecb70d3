"""Which code means what, and what of a configuration cannot be."""

from __future__ import annotations

import pytest

from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_codes import DialPlan, check_codes


class Forward(Feature):
    codes = {"forward": "*72", "forward_off": "*73", "spare": ""}  # noqa: RUF012  # as a plugin writes it


class Park(Feature):
    codes = {"park": "*7"}  # noqa: RUF012


class Another(Feature):
    codes = {"park": "*99"}  # noqa: RUF012


FORWARD, PARK = Forward(), Park()


def test_the_longest_code_counts_and_the_rest_is_its_argument():
    plan = DialPlan([FORWARD, PARK], {})
    assert plan.dialled("*726003") == (FORWARD, "forward", "6003")
    assert plan.dialled("*73") == (FORWARD, "forward_off", "")
    assert plan.dialled("*7") == (PARK, "park", "")
    assert plan.dialled("*7103") == (PARK, "park", "103")
    assert plan.dialled("*8") is None
    assert plan.dialled("6003") is None
    assert DialPlan([], {}).dialled("*72") is None


def test_a_feature_is_asked_for_by_its_name():
    plan = DialPlan([FORWARD, PARK], {"forward": ""})
    assert plan.named("forward-off") == (FORWARD, "forward_off", "")
    assert plan.named("forward") == (FORWARD, "forward", "")
    assert plan.named("spare") == (FORWARD, "spare", "")
    assert plan.named("tea") is None


def test_the_configuration_gives_other_digits_or_none():
    plan = DialPlan([FORWARD, PARK], {"forward": "#21*", "forward_off": "", "spare": "*72"})
    assert plan.dialled("#21*6003") == (FORWARD, "forward", "6003")
    assert plan.dialled("*72") == (FORWARD, "spare", "")
    assert plan.dialled("*73") == (PARK, "park", "3")


@pytest.mark.parametrize(
    ("features", "chosen", "sentence"),
    [
        ([Park], {"parks": "*1"}, "parks: no feature in use has a code of this name; the nearest known name is 'park'"),
        ([], {"forward": "*1"}, "forward: no feature in use has a code of this name"),
        ([Forward], {"forward": "72"}, "forward: '72' is no code: * or #, then 1 to 15 of 0-9, * and #"),
        ([Forward], {"forward": "*"}, "forward: '*' is no code: * or #, then 1 to 15 of 0-9, * and #"),
        ([Forward, Park], {"park": "*73"}, "park: *73 is the code of forward_off already"),
        ([Park, Another], {}, "park: two features have a code of this name"),
    ],
)
def test_what_cannot_be(features, chosen, sentence):
    with pytest.raises(ValueError) as caught:
        check_codes(features, chosen)
    assert str(caught.value) == sentence
