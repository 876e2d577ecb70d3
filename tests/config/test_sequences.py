"""Application sequences in the settings: what they may say, what they say where they are wrong, and what comes of them."""

from __future__ import annotations

import pytest

from b2bua.assembly.sequences import names_of_links, sequences_of
from b2bua.config.addresses import Link, Listen, parse_link
from b2bua.config.sequences import read_sequence, read_user_sequences, wrong_user_sequences
from b2bua.config.settings import ConfigError, Settings
from b2bua.config.sources import load_settings
from b2bua.session_manager.sequences import Sequences

LINKS = tuple(Link(name, Listen("udp", "127.0.0.1", port), ("127.0.0.2", port)) for port, name in enumerate("ab", 5070))


def test_a_sequence():
    assert read_sequence(["cm", "a", "cm"]) == ("cm", "a", "cm") and read_sequence(()) == ()


@pytest.mark.parametrize(("names", "what"), [(["a", "a"], "twice in a row"), ([""], "is empty"), (["a b"], "letters, digits")])
def test_no_sequence(names, what):
    with pytest.raises(ValueError, match=what):
        read_sequence(names)
    assert what in wrong_user_sequences("6001", {"origination": names})


def test_a_user():
    both = read_user_sequences({"6.1": {"origination": ["a"], "termination": []}})
    assert both == {"6.1": {"origination": ("a",), "termination": ()}}
    assert read_user_sequences({"6001": "origination=a|b"}) == {"6001": {"origination": ("a", "b")}}
    assert wrong_user_sequences("6001", {"original": []}) == "unknown key 'original'; the nearest known key is 'origination'"
    assert wrong_user_sequences("6001", ["a"]) == "a table is wanted"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"origination": ("cm", "c")}, "origination: there is no link 'c'"),
        ({"termination": ("c",)}, "termination: there is no link 'c'"),
        ({"optional_applications": ("c",)}, "optional_applications: there is no link 'c'"),
        ({"user_sequences": {"6001": {"termination": ("c",)}}}, "user_sequences: termination of 6001: there is no link 'c'"),
        ({"feature_server": "none", "origination": ("cm",)}, "origination: there is no link 'cm'"),
    ],
)
def test_names_that_stand_for_no_link(changed, what):
    settings = Settings(links=LINKS, **changed)
    assert what in settings.conflicts()
    with pytest.raises(ConfigError, match=what):
        sequences_of(settings)


def test_what_calls_pass():
    """Where nothing is said there is nothing to go by: all links, each once."""
    assert names_of_links(Settings(links=LINKS)) == ("cm", "a", "b")
    assert names_of_links(Settings(links=LINKS, feature_server="none")) == ("a", "b")
    assert sequences_of(Settings(links=LINKS)) is None
    assert sequences_of(Settings(links=LINKS, application_timeout=1)) is None
    everything = ("cm", "a", "b")
    for changed, wanted in (
        ({"origination": ()}, Sequences((), everything)),
        ({"termination": ("a",)}, Sequences(everything, ("a",))),
        ({"application_passes": "twice"}, Sequences(everything, everything, twice=True)),
        ({"optional_applications": ("a",)}, Sequences(everything, everything, optional=frozenset("a"))),
        ({"origination": ("a",), "user_sequences": {"1": {"termination": ()}, "2": {"origination": ("b",)}}},
         Sequences(("a",), everything, {"1": (("a",), ()), "2": (("b",), everything)})),
    ):  # fmt: skip
        assert sequences_of(Settings(links=LINKS, **changed)) == wanted


def test_a_server_of_another_make():
    link = parse_link("rec=tcp:127.0.0.1:5070>127.0.0.2:5060")
    assert link == Link("rec", Listen("tcp", "127.0.0.1", 5070), ("127.0.0.2", 5060), True)
    assert not parse_link("rec=tcp:127.0.0.1:5070=127.0.0.2:5060").foreign
    with pytest.raises(ValueError, match="our port is needed"):
        parse_link("rec=udp:127.0.0.1:0>127.0.0.2:5060")
    with pytest.raises(ValueError, match="is not NAME"):
        parse_link("rec=udp:127.0.0.1:5070")


def test_the_line_in_the_file(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text("[user_sequences]\n6001 = { origination = ['cm'] }\n6002 = { origination = ['cm', 'cm'] }\n")
    with pytest.raises(ConfigError, match=r"lab.toml:3: user_sequences.6002: origination: 'cm' stands there twice"):
        load_settings(path, {}, {})
