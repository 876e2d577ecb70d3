"""The tables of routing: what they may say, and what they say where they are wrong."""

from __future__ import annotations

import pytest

from b2bua.assembly.dial_plan import dial_plan_of, entities_of
from b2bua.config.routing import (
    conflicts_of_routing,
    read_adaptations,
    read_dial_patterns,
    read_routing_policies,
    wrong_adaptation,
    wrong_dial_pattern,
    wrong_routing_policy,
)
from b2bua.config.settings import ConfigError
from b2bua.config.sources import load_settings
from b2bua.session_manager.time_range import WeekTime

PATTERN = {"pattern": "0[1-9]", "min": 4, "max": 20, "callers": ["60"], "policies": ["first"]}
POLICY = {"entity": "carrier", "rank": -1, "times": ["mon-fri"], "timeout": 4, "next_on": ["503", "404"]}
ADAPTATION = {"called_out": ["0:1:+49"], "asserted_in": ["+49:3:0"], "headers_out": ["remove:User-Agent"]}


def test_every_key_reads_as_it_is():
    for read, entry in ((read_dial_patterns, PATTERN), (read_routing_policies, POLICY), (read_adaptations, ADAPTATION)):
        wanted = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        assert read({"a": entry}) == read({"a": wanted}) == {"a": wanted}


def test_the_form_of_the_environment():
    assert read_routing_policies({"a": "entity=carrier rank=-1 times=mon-fri timeout=4 next_on=503|404"}) == {
        "a": {key: tuple(value) if isinstance(value, list) else value for key, value in POLICY.items()}
    }
    with pytest.raises(ValueError, match="a: rank: a whole number is wanted"):
        read_routing_policies({"a": "entity=carrier rank=low"})


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"pattern": "0 1"}, "pattern: '0 1' is no pattern"),
        ({"pattern": ""}, "pattern: '' is no pattern"),
        ({"callers": ["$0"]}, "callers: '$0' is no pattern"),
        ({"min": 0}, "min and max: 0 to 20 is not within 1 to 64"),
        ({"min": 21}, "min and max: 21 to 20"),
        ({"max": 65}, "min and max: 4 to 65"),
        ({"min": "4"}, "min: a whole number is wanted"),
        ({"min": True}, "min: a whole number is wanted"),
        ({"policies": "first"}, "policies: a list of texts"),
        ({"policy": []}, "unknown key 'policy'; the nearest known key is 'policies'"),
    ],
)
def test_a_wrong_pattern(changed, what):
    assert what in wrong_dial_pattern("a", PATTERN | changed)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"entity": ""}, "entity: where it leads"),
        ({"timeout": 33}, "timeout: 33 is not 0 to 32 seconds"),
        ({"timeout": -1}, "timeout: -1 is not"),
        ({"times": ["monday"]}, "times: 'monday' is no time"),
        ({"next_on": ["200"]}, "next_on: '200' is no failure"),
        ({"next_on": ["407"]}, "next_on: '407' is no failure"),
        ({"next_on": ["700"]}, "next_on: '700' is no failure"),
        ({"next_on": ["5xx"]}, "next_on: '5xx' is no failure"),
        ({"ranks": 1}, "the nearest known key is 'rank'"),
    ],
)
def test_a_wrong_policy(changed, what):
    assert what in wrong_routing_policy("a", POLICY | changed)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"called_out": ["0"]}, "called_out: '0' is not PATTERN:DELETE:INSERT"),
        ({"headers_in": ["remove:Via"]}, "headers_in: 'remove:Via': Via belongs to"),
        ({"headers": []}, "unknown key 'headers'"),
    ],
)
def test_a_wrong_adaptation(changed, what):
    assert what in wrong_adaptation("a", ADAPTATION | changed)


@pytest.mark.parametrize("missing", ["pattern", "policies"])
def test_what_a_pattern_must_say(missing):
    assert wrong_dial_pattern("a", {key: value for key, value in PATTERN.items() if key != missing}).startswith(missing)
    assert wrong_dial_pattern("a b", PATTERN) == "the name of a dial pattern has letters, digits, - and _ only"


def test_names_that_stand_for_nothing():
    found = conflicts_of_routing(
        {"p": {"policies": ("first", "none")}}, {"first": {"entity": "lost"}}, {}, {"carrier": {"adaptation": "gone"}}
    )
    assert list(found) == [
        "dial_patterns: p goes by 'none', and there is no such routing policy",
        "routing_policies: first goes by 'lost', and there is no such entity",
        "entities: carrier has the adaptation 'gone', and there is no such one",
    ]


FILE = """
[entities]
carrier = { address = "192.0.2.80", adaptation = "german" }
[adaptations.german]
called_out = ["0:1:+49"]
[routing_policies.first]
entity = "carrier"
timeout = 4
[dial_patterns.national]
pattern = "0"
policies = ["first"]
"""


def test_from_a_file_to_a_plan(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(FILE)
    settings = load_settings(path, {}, {})
    settings.check()
    entities = entities_of(settings)
    route = dial_plan_of(settings, entities).of_number("030", "", lambda: WeekTime(0, 0))
    assert [(way.entity, way.timeout) for way in route.ways] == [(entities[0], 4)]
    assert entities[0].adaptation.called_out[0].apply("030") == "+4930"


def test_the_line_in_the_file(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(FILE.replace('"0:1:+49"', '"0:1"'))
    with pytest.raises(ConfigError, match=r"lab.toml:4: adaptations.german: called_out: '0:1' is not"):
        load_settings(path, {}, {})
    path.write_text(FILE.replace('["first"]', '["second"]'))
    with pytest.raises(ConfigError, match="national goes by 'second'"):
        load_settings(path, {}, {}).check()
    with pytest.raises(ConfigError, match="national goes by 'second'"):
        dial_plan_of(load_settings(path, {}, {}), [])
