"""The table of entities: what it may say, and what it says where it is wrong."""

from __future__ import annotations

import pytest

from b2bua.config.entities import conflicts_of_entities, read_entities, read_secret, wrong_entity
from b2bua.config.settings import ConfigError, Settings
from b2bua.config.sources import load_settings

GOOD = {
    "address": "SIP.example.net.:5070", "transport": "tcp", "from": ["192.0.2.80", "[2001:DB8::80]:5060"],
    "certificate": "Trunk.example.net", "user": "trunk1", "trusted": True, "numbers": ["0", "+49"],
    "domains": ["Example.NET"],
}  # fmt: skip
READ = {
    "address": "sip.example.net:5070", "transport": "tcp", "from": ("192.0.2.80", "[2001:db8::80]:5060"),
    "certificate": "trunk.example.net", "user": "trunk1", "trusted": True, "numbers": ("0", "+49"), "domains": ("example.net",),
}  # fmt: skip


def test_every_key():
    assert read_entities({"carrier": dict(GOOD)}) == {"carrier": READ}
    assert read_entities({"carrier": READ}) == {"carrier": READ}


OURS = {"address": "sip.example.net", "username": "pbx"}


def test_the_password_is_the_first_line_of_a_file(tmp_path):
    (tmp_path / "secret").write_text("hunter two\r\nsecond\n")
    assert read_secret(OURS | {"password_file": str(tmp_path / "secret")}, {}) == "hunter two"


def test_the_password_is_a_variable():
    assert read_secret(OURS | {"password_env": "TRUNK_PASSWORD"}, {"TRUNK_PASSWORD": "hunter2"}) == "hunter2"


@pytest.mark.parametrize(("content", "what"), [
    (None, "No such file or directory"), (b"", "its first line is empty"), (b"\nx", "its first line is empty"),
    (b"\xff", "not UTF-8"),
])  # fmt: skip
def test_a_file_without_a_password(tmp_path, content, what):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=what):
        read_secret(OURS | {"password_file": str(path)}, {})


@pytest.mark.parametrize("environment", [{}, {"TRUNK_PASSWORD": ""}])
def test_a_variable_without_a_password(environment):
    with pytest.raises(ValueError, match="password_env: the variable TRUNK_PASSWORD is not set"):
        read_secret(OURS | {"password_env": "TRUNK_PASSWORD"}, environment)


def test_the_form_of_the_environment():
    text = "address=sip.example.net:5070 transport=tcp from=192.0.2.80|[2001:db8::80]:5060 certificate=trunk.example.net "
    text += "user=trunk1 trusted=true numbers=0|+49 domains=example.net"
    assert read_entities({"carrier": text}) == {"carrier": READ}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"address": ""}, "address: where it is"),
        ({"address": "sip.example.net:0"}, "port 0"),
        ({"address": "a b"}, "is not a host name"),
        ({"adress": "x"}, "unknown key 'adress'; the nearest known key is 'address'"),
        ({"transport": "ws"}, "transport: 'ws' is none of udp, tcp, tls"),
        ({"trusted": "yes"}, "trusted: true or false is wanted"),
        ({"numbers": "0"}, "numbers: a list of texts is wanted"),
        ({"numbers": [0]}, "numbers: a list of texts is wanted"),
        ({"numbers": [""]}, "numbers: '' begins no number"),
        ({"numbers": ["0 1"]}, "begins no number"),
        ({"domains": ["-"]}, "is not a host name"),
        ({"from": ["sip.example.net"]}, "is not an IP address"),
        ({"transport": "udp", "from": ["192.0.2.80"]}, "has no port"),
        ({"transport": "tls", "from": ["192.0.2.80"]}, "has no port"),
        ({"certificate": "*.example.net"}, "is not a host name"),
        ({"watch": -1}, "watch: -1 is not 0 to 86400 seconds"),
        ({"watch": 86401}, "watch: 86401 is not"),
        ({"watch": "5"}, "watch: a whole number is wanted"),
        ({"username": "pbx"}, "username: one of password_file and password_env says where"),
        ({"username": "pbx", "password_file": "x", "password_env": "Y"}, "username: one of password_file and password_env"),
        ({"password_file": "x"}, "password_file: without a username it means nothing"),
        ({"realm": "x"}, "realm: without a username it means nothing"),
        ({"username": 'p"x', "password_file": "x"}, "username: 'p\"x' is empty, or has a quote"),
        ({"username": "", "password_file": "x"}, "username: '' is empty"),
        ({"username": "pbx", "password": "x"}, "unknown key 'password'; the nearest known key is 'password_"),
    ],
)
def test_what_is_wrong(changed, what):
    assert what in wrong_entity("carrier", GOOD | changed)
    with pytest.raises(ValueError, match=r"^carrier: "):
        read_entities({"carrier": GOOD | changed})


@pytest.mark.parametrize(("name", "entry"), [("a b", GOOD), ("", GOOD), ("carrier", 7), ("carrier", {})])
def test_no_table(name, entry):
    assert wrong_entity(name, entry)


def test_words_of_the_environment():
    with pytest.raises(ValueError, match="'trusted' is not KEY=VALUE"):
        read_entities({"carrier": "address=192.0.2.80 trusted"})


def test_the_line_in_the_file(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text('[entities.carrier]\naddress = "192.0.2.80"\n\n[entities.other]\ntransport = "udp"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {}, {})
    assert str(caught.value).startswith(f"{path}:4: entities.other: address: ")
    path.write_text('[entities.carrier]\naddress = "192.0.2.80"\nnumbers = ["0"]\n')
    assert load_settings(path, {}, {}) == Settings(entities={"carrier": {"address": "192.0.2.80", "numbers": ("0",)}})


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"transport": "udp"}, "other is reached by udp, and there is no such listener"),
        ({"from": ("192.0.2.80:5060",)}, "other and carrier cannot be told apart: both have from '192.0.2.80:5060'"),
        ({"certificate": "trunk.example.net"}, "both have certificate 'trunk.example.net'"),
        ({"user": "6004"}, "both have user '6004'"),
    ],
)
def test_what_cannot_be(other, what):
    carrier = {"address": "192.0.2.80", "from": ("192.0.2.80:5060",), "certificate": "trunk.example.net", "user": "6004"}
    found = list(conflicts_of_entities({"carrier": carrier, "other": {"address": "192.0.2.81"} | other}, {"tls", "tcp"}))
    assert len(found) == 1 and found[0].startswith("entities: ") and what in found[0]


def test_what_can_be(tmp_path):
    one = {"address": "192.0.2.80", "transport": "tcp", "from": ("192.0.2.80",)}
    assert not list(conflicts_of_entities({"a": one, "b": {"address": "192.0.2.81"}}, {"tcp"}))
    path = tmp_path / "lab.toml"
    path.write_text('[entities.carrier]\naddress = "192.0.2.80"\ntransport = "tls"\n')
    with pytest.raises(ConfigError, match="carrier is reached by tls"):
        load_settings(path, {}, {}).check()


@pytest.mark.parametrize(("transports", "authorities", "wrong"), [
    ({"tls"}, True, False), ({"tls", "udp"}, False, True), ({"udp", "wss"}, True, True),
])  # fmt: skip
def test_a_certificate_that_nobody_would_ask_for(transports, authorities, wrong):
    entities = {"carrier": {"address": "192.0.2.80", "certificate": "trunk.example.net"}}
    found = list(conflicts_of_entities(entities, transports, authorities))
    line = "entities: carrier is known by its certificate: that needs a tls listener, and tls_ca to ask for one"
    assert found == ([line] if wrong else [])
